package delivery

import "testing"

// While no operator runs nobody repairs what the people of a namespace write into their record, and it counts as delivered then. What a person confirmed for
// all the others goes on all the same.
func TestWhatATenantForgesWhileNoOperatorRunsKeepsNobodyElsesRemovalFromGoingOn(t *testing.T) {
	const namespaces = 10
	g, seen := givesUp(t)
	g.confirm(seen.ID)
	if _, err := g.reconcile("n-00000"); err != nil || g.has(0, `"s.example"`) {
		t.Fatalf("what is confirmed is not removed from the first: %v", err)
	}
	g.forge("n-00009", "forged.example", "r.example", "s.example")
	g.restart()
	g.settled(namespaces)
	if left, held := g.having(namespaces, `"s.example"`), g.removal(); left > 0 || held.Held || held.ID != "" {
		t.Errorf("%d of %d still have what a person confirmed to go, and another confirmation is asked for: %+v", left, namespaces, held)
	}
}
