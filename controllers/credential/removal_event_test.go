package credential

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
)

func TestPeopleAreToldOnceThatARemovalWaitsForThem(t *testing.T) {
	held := delivered.Removal{Held: true, ID: "abc", Losing: 11, Holding: 12}
	for _, test := range []struct {
		name    string
		before  *v1alpha1.PendingRemovalStatus
		removal delivered.Removal
		told    bool
	}{
		{"nothing waits", nil, delivered.Removal{ID: "abc"}, false},
		{"one begins to wait", nil, held, true},
		{"it still waits", &v1alpha1.PendingRemovalStatus{ID: "abc"}, held, false},
		{"another one waits in its place", &v1alpha1.PendingRemovalStatus{ID: "old"}, held, true},
		{"it does not wait any more", &v1alpha1.PendingRemovalStatus{ID: "abc"}, delivered.Removal{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(1)
			r := &Reconciler{Events: announce.New(recorder)}
			r.tellOfRemoval(&v1alpha1.RegistryCredential{}, test.before, test.removal, heldRemoval(&v1alpha1.RegistryCredential{}, test.removal, undoChange))
			select {
			case event := <-recorder.Events:
				if !test.told || !strings.Contains(event, v1alpha1.ReasonRemovalUnconfirmed) || !strings.Contains(event, "confirm-removal=abc") {
					t.Errorf("told %q", event)
				}
			default:
				if test.told {
					t.Error("nobody was told")
				}
			}
		})
	}
}

func TestAValueThatConfirmsAnotherRemovalIsSaidToDecideNothing(t *testing.T) {
	held := delivered.Removal{Held: true, ID: "abc", Losing: 11, Holding: 12}
	for value, told := range map[string]bool{"": false, "abc": false, "true": true, "abd": true} {
		object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.ConfirmRemovalAnnotation: value}}}
		said := heldRemoval(object, held, undoChange)
		if strings.Contains(said, "decides nothing here") != told || told && !strings.Contains(said, `"`+value+`"`) {
			t.Errorf("%q: %s", value, said)
		}
	}
}

func TestAHeldRemovalIsSaidWithTheCommandsThatDecideIt(t *testing.T) {
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}
	for otherwise, want := range map[string]string{
		undoChange:          "undo the change of spec.target",
		keepEntries(object): `kubectl patch registrycredential company --type=merge -p '{"metadata":{"finalizers":null}}'`,
	} {
		said := heldRemoval(object, delivered.Removal{Held: true, ID: "abc", Losing: 7, Holding: 7}, otherwise)
		for _, part := range []string{"Nothing was removed", "kubectl annotate registrycredential company --overwrite regcred.dev/confirm-removal=abc", want} {
			if !strings.Contains(said, part) {
				t.Errorf("%q lacks %q", said, part)
			}
		}
	}
}

func TestWhoWouldLoseItIsSaidInWords(t *testing.T) {
	for want, removal := range map[string]delivered.Removal{
		"the only namespace that holds the credential":    {Losing: 1, Holding: 1},
		"all 7 namespaces that hold the credential":       {Losing: 7, Holding: 7},
		"7 of the 12 namespaces that hold the credential": {Losing: 7, Holding: 12},
	} {
		if got := losers(removal); got != want {
			t.Errorf("%+v: %q, want %q", removal, got, want)
		}
	}
}
