package pullsecret

import (
	"strings"
	"testing"
)

func TestAHandMadeSecretWaitsForEachValueThatWouldBeWrittenIntoItAndSaysForWhat(t *testing.T) {
	proven := adopting(contribution("shop", 2, "1", config(t, "a", "shop.example")))
	open := unproven(contribution("base", 1, "1", config(t, "b", "base.example")))
	for _, contributions := range [][]Contribution{{proven, open}, {open, proven}} {
		plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: everybody, Current: byHand(`{"auths":{}}`), Now: noon})
		if plan.Action != Refuse || plan.Owner.Manager != OwnerOf(byHand(`{"auths":{}}`)).Manager || !strings.HasPrefix(plan.Owner.Fix, "it is taken over once the registry accepts the value") {
			t.Errorf("%s: %+v", plan.Action, plan.Owner)
		}
	}
}
