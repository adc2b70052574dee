package pullsecret

import (
	"strings"
	"testing"
)

// What is told is the same with each look, whichever of them is the oldest.
func TestOfSeveralValuesThatAreWaitedForTheFirstNameIsTold(t *testing.T) {
	for _, hours := range [][2]int{{1, 2}, {2, 1}} {
		a := adopting(unproven(contribution("a", hours[0], "1", config(t, "x", "a.example"))))
		b := unproven(contribution("b", hours[1], "1", config(t, "y", "b.example")))
		for _, contributions := range [][]Contribution{{a, b}, {b, a}} {
			plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: everybody, Current: byHand(`{"auths":{}}`), Now: noon})
			if plan.Action != Refuse || !strings.Contains(plan.Owner.Fix, "RegistryCredential a:") {
				t.Errorf("%s: %q", plan.Action, plan.Owner.Fix)
			}
		}
	}
}
