package wakeup

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatIsLetThroughOfAnObject(t *testing.T) {
	object := func() *v1alpha1.VaultConnection {
		return &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "vault", UID: "one", Generation: 1}}
	}
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.VaultConnection)
		want   bool
	}{
		{"nothing", func(*v1alpha1.VaultConnection) {}, false},
		{"its status", func(c *v1alpha1.VaultConnection) { c.Status.ServerVersion, c.ResourceVersion = "1.21", "2" }, false},
		{"its spec", func(c *v1alpha1.VaultConnection) { c.Generation++ }, true},
		{"its spec, of a cluster that was set back", func(c *v1alpha1.VaultConnection) { c.Generation-- }, true},
		{"it was deleted and created again", func(c *v1alpha1.VaultConnection) { c.UID = "another" }, true},
	} {
		after := object()
		test.change(after)
		if got := OnSpec[*v1alpha1.VaultConnection]().Update(event.TypedUpdateEvent[*v1alpha1.VaultConnection]{ObjectOld: object(), ObjectNew: after}); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	if !OnSpec[*v1alpha1.VaultConnection]().Create(event.TypedCreateEvent[*v1alpha1.VaultConnection]{Object: object()}) {
		t.Error("one that comes is not looked at")
	}
}
