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

// A value whose registry an older RegistryCredential provides is not written: nobody waits until it is accepted.
func TestAHandMadeSecretDoesNotWaitForAValueThatIsNotWrittenIntoIt(t *testing.T) {
	older := adopting(contribution("shop", 2, "1", config(t, "a", "r.example")))
	younger := unproven(contribution("base", 1, "1", config(t, "b", "r.example")))
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{younger, older}, Exists: everybody,
		Current: byHand(`{"auths":{"r.example":{"username":"u","password":"theirs"}}}`), Now: noon})
	if plan.Action != Update || entriesOf(t, plan.Secret)["r.example"] != "a" || len(plan.Taken) != 1 {
		t.Errorf("%s: %+v, taken %v", plan.Action, plan.Owner, plan.Taken)
	}
}

// Who provides another registry is told whose value is waited for: its own is accepted.
func TestAHandMadeSecretThatWaitsNamesWhoseValueItWaitsFor(t *testing.T) {
	proven := adopting(contribution("shop", 2, "1", config(t, "a", "shop.example")))
	open := unproven(contribution("base", 1, "1", config(t, "b", "base.example")))
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{proven, open}, Exists: everybody, Current: byHand(`{"auths":{}}`), Now: noon})
	if plan.Action != Refuse || !strings.Contains(plan.Owner.Fix, "RegistryCredential base") || strings.Contains(plan.Owner.Fix, "RegistryCredential shop") {
		t.Errorf("%s: %q", plan.Action, plan.Owner.Fix)
	}
}
