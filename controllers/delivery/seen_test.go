package delivery

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// givesUp is a rig in which ten namespaces are to lose the entry of one registry of two, which waits for a person.
func givesUp(t *testing.T) (*rig, delivered.Removal) {
	t.Helper()
	const namespaces = 10
	g := newRig(t, namespaces, credential("company", "r.example", "s.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example", "s.example"))
	g.all(namespaces)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = c.Spec.Registries[:1] })
	g.publish(record(t, "company", "2-x", "one", "r.example"))
	g.settled(namespaces)
	seen := g.removal()
	if !seen.Held || seen.Losing != namespaces || seen.What != "its entry for s.example" || g.having(namespaces, `"s.example"`) != namespaces {
		t.Fatalf("it does not wait, so that this test finds nothing: %+v", seen)
	}
	return g, seen
}

// settled looks at all namespaces until what is to be decided is.
func (g *rig) settled(namespaces int) {
	g.t.Helper()
	for range 3 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	g.all(namespaces)
}

func (g *rig) confirm(id string) {
	g.t.Helper()
	g.edit(func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, id)
	})
}

// A person saw that an entry of one registry goes. That all go since, from the same namespaces, is another removal: a selector was mistyped.
func TestAConfirmationStandsForWhatAPersonSawAndForNoMoreInTheSameNamespaces(t *testing.T) {
	const namespaces = 10
	g, seen := givesUp(t)
	g.selects("shpo")
	g.settled(namespaces)
	if now := g.removal(); !now.Held || now.ID == seen.ID || now.What != "it" {
		t.Errorf("all entries go by the ID of the removal of one: %+v, before %+v", now, seen)
	}
	g.confirm(seen.ID)
	g.settled(namespaces)
	if got := g.having(namespaces, `"r.example"`); got != namespaces {
		t.Errorf("who confirmed that one registry is given up takes the other one, too, from %d of %d", namespaces-got, namespaces)
	}
}

// What a person confirmed goes on for as long as there are namespaces. A mistake that is made meanwhile is not a part of it.
func TestWhatIsGrantedOfOneRegistryServesNoMistakeAboutTheOtherWhileItGoesOn(t *testing.T) {
	const namespaces = 10
	g, seen := givesUp(t)
	g.confirm(seen.ID)
	if _, err := g.reconcile("n-00000"); err != nil || g.has(0, `"s.example"`) || !g.has(0, `"r.example"`) {
		t.Fatalf("what is confirmed is not removed from the first: %v", err)
	}
	g.selects("shpo")
	g.settled(namespaces)
	if got, held := g.having(namespaces, `"r.example"`), g.removal(); got != namespaces || !held.Held || held.ID == seen.ID {
		t.Errorf("a typo that nobody confirmed takes the credential from %d of %d: %+v", namespaces-got, namespaces, held)
	}
}

func TestWhatIsLostIsSaidInWords(t *testing.T) {
	whole, part := removal.Part{Namespace: "a"}, removal.Part{Namespace: "b", Keys: []string{"t.example", "s.example"}}
	more := removal.Part{Namespace: "c", Keys: []string{"u.example", "v.example", "s.example"}}
	for want, losing := range map[string][]removal.Part{
		"it": {whole}, "its entry for s.example, t.example": {part}, "it, or its entry for s.example, t.example": {part, whole},
		"its entry for s.example, t.example, u.example and 1 more": {part, more},
	} {
		if got := what(losing); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
