package delivery

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// Who confirmed that two registries are given up, and provides one of them again meanwhile, confirmed that the other one goes.
func TestWhatIsConfirmedGoesOnWhereOneOfTwoRegistriesIsProvidedAgain(t *testing.T) {
	const namespaces = 10
	g := newRig(t, namespaces, credential("company", "r.example", "s.example", "t.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example", "s.example", "t.example"))
	g.all(namespaces)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = []v1alpha1.Registry{"r.example"} })
	g.publish(record(t, "company", "2-x", "one", "r.example"))
	g.settled(namespaces)
	seen := g.removal()
	if !seen.Held {
		t.Fatalf("it does not wait, so that this test finds nothing: %+v", seen)
	}
	g.confirm(seen.ID)
	if _, err := g.reconcile("n-00000"); err != nil || g.has(0, `"s.example"`) {
		t.Fatalf("what is confirmed is not removed from the first: %v", err)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Registries = []v1alpha1.Registry{"r.example", "t.example"}
	})
	g.publish(record(t, "company", "3-x", "one", "r.example", "t.example"))
	g.settled(namespaces)
	if left, kept, held := g.having(namespaces, `"s.example"`), g.having(namespaces, `"t.example"`), g.removal(); left > 0 || kept != namespaces || held.Held {
		t.Errorf("%d still have what is confirmed to go, %d of %d have what is provided again, and it waits: %+v", left, kept, namespaces, held)
	}
}

// The entries that are granted are noted once for all Secrets. What another Secret was granted serves none that loses it later.
func TestAPlaceIsNotGrantedWhatItComesToLoseLaterThoughAnotherOneWas(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	one, other := delivered.Place{Namespace: "a", Name: "regcred"}, delivered.Place{Namespace: "b", Name: "regcred"}
	k := &keeper{decided: now, losing: map[delivered.Place]removal.Part{}}
	k.finds(one, []string{"s.example"}, now)
	k.finds(other, []string{"t.example"}, now)
	made := removal.Decide(removal.State{}, removal.Facts{
		Holding: []string{"a", "b"}, Losing: []removal.Part{k.losing[one], k.losing[other]}, Now: now,
	})
	if k.state = made.State; !k.grants(one, now) || !k.grants(other, now) {
		t.Fatalf("nothing is granted, so that this test finds nothing: %+v", made)
	}
	if k.finds(one, []string{"s.example", "t.example"}, now); k.grants(one, now) || !k.grants(other, now) {
		t.Errorf("it is granted the entry that the other one was: %t; the other one %t", k.grants(one, now), k.grants(other, now))
	}
}
