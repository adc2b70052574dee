package delivered

import "testing"

// Whoever asks right after a start whether a value may be revoked is told of the namespaces that nobody looked at yet.
func TestWhatSecretsHeldAtTheStartCountsUntilTheyAreLookedAt(t *testing.T) {
	b := NewBoard(func(string) {})
	old, present := Version{"1", "old"}, Version{"2", "new"}
	selected, other := Place{"shop", "regcred"}, Place{"web", "regcred"}
	b.Begin(selected, "company", present)
	b.Begin(other, "company", old)
	if s := b.Summary("company", "regcred"); s.Holds(old) != 1 || s.Holds(present) != 1 || s.Unselected != 2 || s.Unknown != 0 {
		t.Errorf("before it is known who is selected: %+v", s)
	}
	b.Select("company", "regcred", 1, []string{"shop"})
	s := b.Summary("company", "regcred")
	if s.HoldsOther(present) != 1 || s.Unselected != 1 || s.Selected != 1 || s.Unknown != 1 || s.Everywhere(present, 1) || s.Synced(present, 1) != 0 {
		t.Errorf("before they are looked at: %+v", s)
	}
	b.Post(selected, map[string]Delivery{"company": {Selected: true, Version: present, Generation: 1, Observed: 1}})
	b.Begin(selected, "company", old) // its look came first
	if s := b.Summary("company", "regcred"); !s.Everywhere(present, 1) || s.HoldsOther(present) != 1 {
		t.Errorf("one is still to be looked at: %+v", s)
	}
	b.Post(other, nil)
	if s := b.Summary("company", "regcred"); s.HoldsOther(present) != 0 || s.Unselected != 0 {
		t.Errorf("both were looked at: %+v", s)
	}
}

// What a look found counts, also where it could not make the place right.
func TestWhatALookFoundIsNotReplacedByWhatASecretSaidAtTheStart(t *testing.T) {
	b, place := NewBoard(func(string) {}), Place{"shop", "regcred"}
	found := Delivery{Selected: true, Version: Version{"2", "new"}, Observed: 1, Reason: "WriteFailed", Message: "refused"}
	b.Post(place, map[string]Delivery{"company": found})
	b.Begin(place, "company", Version{"1", "old"})
	if got, _ := b.At(place, "company"); got != found {
		t.Errorf("it is known: %+v", got)
	}
}
