package delivery

import "testing"

// A typo waited for a moment while a registry was given up, and was corrected. What a person reads after that is that one entry goes, and that is what he
// confirms: not the typo, where it comes back before he does, such as by a tool that applies the manifest again.
func TestAConfirmationStandsForWhatAPersonReadLastAndNotForAllThatEverWaitedWithIt(t *testing.T) {
	const namespaces = 10
	g, _ := givesUp(t)
	g.selects("shpo")
	g.settled(namespaces)
	g.selects("shop")
	g.settled(namespaces)
	seen := g.removal()
	if !seen.Held || seen.What != "its entry for s.example" {
		t.Fatalf("it is not the entry of one registry that waits, so that this test finds nothing: %+v", seen)
	}
	g.selects("shpo")
	g.confirm(seen.ID)
	g.settled(namespaces)
	if got, now := g.having(namespaces, `"r.example"`), g.removal(); got != namespaces || !now.Held || now.ID == seen.ID {
		t.Errorf("who confirmed that one registry is given up takes the other one, too, from %d of %d: %+v", namespaces-got, namespaces, now)
	}
}

// A typo waits, and is corrected. Who confirms it too late confirms nothing: also not the same typo, where a tool applies it again.
func TestAConfirmationThatCameTooLateServesNoLaterMistake(t *testing.T) {
	const namespaces = 10
	g, _ := givesUp(t)
	g.selects("shpo")
	g.settled(namespaces)
	typo := g.removal()
	g.selects("shop")
	g.settled(namespaces)
	g.confirm(typo.ID)
	g.settled(namespaces)
	if left := g.removal(); !typo.Held || typo.What != "it" || !left.Held || left.ID == typo.ID || g.having(namespaces, `"s.example"`) != namespaces {
		t.Fatalf("no typo waited, or its ID confirms what is left, so that this test finds nothing: %+v, %+v", typo, left)
	}
	g.selects("shpo")
	g.settled(namespaces)
	if got, now := g.having(namespaces, `"r.example"`), g.removal(); got != namespaces || !now.Held || now.ID == typo.ID {
		t.Errorf("the second typo goes by the confirmation of the first, from %d of %d: %+v", namespaces-got, namespaces, now)
	}
}
