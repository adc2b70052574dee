package delivery

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// A removal is granted to all that are to lose something, also to those that were not looked at yet. One that is corrected before its first look is
// granted nothing any more, though another Secret refuses to be changed, so that the removal goes on.
func TestWhatIsGrantedToASecretEndsAlsoWhereItWasNotLookedAtBefore(t *testing.T) {
	object, now := credential("company", "r.example"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	corrected, refuses := delivered.Place{Namespace: "a", Name: "regcred"}, delivered.Place{Namespace: "b", Name: "regcred"}
	for name, keys := range map[string][]string{"all of it": nil, "an entry": {"s.example"}} {
		g, _ := delivers(t, nil)
		k := g.r.keepers.of(object, g.r.Store.Removals, now)
		part := removal.Part{Namespace: corrected.Namespace, Secret: corrected.Name, Keys: keys}
		k.losing, k.decided = wholly(refuses), g.now
		made := removal.Decide(k.state, removal.Facts{UID: object.UID, Holding: []string{"a", "b"}, Losing: []removal.Part{part, wholeOf(refuses)}, Now: g.now})
		if k.state = made.State; !k.state.Grants(part) {
			t.Fatalf("%s: it is not granted, so that this test finds nothing: %+v", name, made)
		}
		if err := g.r.losesNothing(t.Context(), object, corrected); err != nil {
			t.Fatal(err)
		}
		k.finds(corrected, keys, g.now)
		if k.grants(corrected, g.now) || !k.grants(refuses, g.now) {
			t.Errorf("%s: by the next mistake it may lose it: %t; the other one %t", name, k.grants(corrected, g.now), k.grants(refuses, g.now))
		}
	}
}
