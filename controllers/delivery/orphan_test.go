package delivery

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/test/inmemory"
)

// A namespace is looked at while its RegistryCredential goes: what is kept of the removal would outlive it. So the controller that removes
// what is kept of objects that are gone has to look again.
func TestWhatIsKeptOfARemovalWithoutARecordIsLookedAtAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		record bool
		want   int
	}{
		{"there is a record", true, 0},
		{"it was removed a moment before", false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			object := credential("a", "r.example")
			g := newRig(t, 0, object)
			server := inmemory.Clientset()
			server.PrependReactor("*", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
				secret := action.(clienttesting.CreateAction).GetObject().(*corev1.Secret).DeepCopy()
				secret.ResourceVersion = "1"
				return true, secret, nil
			})
			g.r.Store = records.NewStore(server.CoreV1(), "regcred-system", func(string) {})
			if c.record {
				if err := g.r.Store.Save(t.Context(), records.Record{Credential: "a", UID: object.UID, Kept: rotation.Kept{Salt: []byte{1}}}); err != nil {
					t.Fatal(err)
				}
			}
			looked := 0
			g.r.Board = delivered.NewBoard(func(string) { looked++ })
			k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
			k.state = removal.State{}
			if err := g.r.decide(t.Context(), object, k); err != nil {
				t.Fatal(err)
			}
			if g.r.Store.Removals("a").UID != object.UID || looked != c.want {
				t.Errorf("it is looked at %d times, want %d; kept is %+v", looked, c.want, g.r.Store.Removals("a"))
			}
		})
	}
}
