package delivery

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
)

// deleting is a rig whose RegistryCredential is being deleted with deletionPolicy Delete, as the watch told.
func deleting(t *testing.T, namespaces int) *rig {
	t.Helper()
	company := credential("company", "r.example")
	company.Spec.DeletionPolicy, company.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	g := newRig(t, namespaces, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(namespaces)
	before := g.company()
	if err := g.c.Delete(t.Context(), company); err != nil {
		t.Fatal(err)
	}
	g.r.onCredential().Update(t.Context(), event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: before, ObjectNew: g.company()}, &added{})
	for range 2 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	return g
}

// letGo takes the finalizer off, so that the object goes, and has the watch tell of it.
func (g *rig) letGo() {
	g.t.Helper()
	last := g.company()
	last.Finalizers = nil
	if err := g.c.Update(g.t.Context(), last.DeepCopy()); err != nil {
		g.t.Fatal(err)
	}
	g.r.onCredential().Delete(g.t.Context(), event.TypedDeleteEvent[*v1alpha1.RegistryCredential]{Object: last}, &added{})
}

// What waits for a person says how to let the object go and the entries stay: by taking the finalizer off.
func TestWhoTakesTheFinalizerOffKeepsTheEntries(t *testing.T) {
	const namespaces = 10
	for _, test := range []struct {
		name     string
		before   func(*rig)
		left     int
		restarts bool
	}{
		{name: "while the removal waits", before: func(*rig) {}, left: namespaces},
		{name: "while the removal waits, and the operator is restarted", before: func(*rig) {}, left: namespaces, restarts: true},
		{name: "when some lost theirs", before: func(g *rig) {
			id := g.removal().ID
			g.edit(func(c *v1alpha1.RegistryCredential) {
				metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, id)
			})
			g.now = g.now.Add(settle)
			g.all(3)
		}, left: namespaces - 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := deleting(t, namespaces)
			if held := g.removal(); !held.Held || g.having(namespaces, "r.example") != namespaces {
				t.Fatalf("%+v", held)
			}
			test.before(g)
			if test.restarts {
				g.restart()
				g.all(namespaces)
			}
			g.letGo()
			for range 4 {
				g.all(namespaces)
				g.now = g.now.Add(time.Minute)
			}
			if got := g.having(namespaces, "r.example"); got != test.left {
				t.Errorf("%d of %d have the entry, want %d", got, namespaces, test.left)
			}
		})
	}
}

// The operator lets an object go when nothing is left of it. What a write that was under way leaves after that goes, too.
func TestWhatIsWrittenAfterNothingWasLeftGoes(t *testing.T) {
	g := deleting(t, 1)
	g.all(1)
	if left := g.removal(); left.Holding != 0 {
		t.Fatalf("%+v", left)
	}
	g.forge("n-00000", "r.example") // as another worker does at this moment
	g.letGo()
	for range 2 {
		g.all(1)
		g.now = g.now.Add(settle)
	}
	if g.secret("n-00000") != nil {
		t.Error("it stays for ever")
	}
}
