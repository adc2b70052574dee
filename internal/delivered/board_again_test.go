package delivered

import "testing"

// A Secret that is left under an earlier name holds a value like any other: whoever asks whether a value may be revoked is told.
func TestASummaryCountsWhatIsHeldUnderAnEarlierSecretName(t *testing.T) {
	b := NewBoard(func(string) {})
	old, present := Version{"1", "old"}, Version{"2", "new"}
	b.Select("company", "before", 1, []string{"a", "b"})
	for _, namespace := range []string{"a", "b"} {
		b.Post(Place{namespace, "before"}, map[string]Delivery{"company": {Selected: true, Version: old, Generation: 1, Observed: 1}})
	}
	b.Select("company", "now", 2, []string{"a", "b"})
	for _, namespace := range []string{"a", "b"} {
		b.Post(Place{namespace, "now"}, map[string]Delivery{"company": {Selected: true, Version: present, Generation: 2, Observed: 2}})
	}
	if s := b.Summary("company", "now"); s.Holding[old] != 2 || s.Holding[present] != 2 || s.Unselected != 2 {
		t.Errorf("%+v", s)
	}
	if s := b.Summary("company", "never"); s.Holding[old] != 2 || s.Holding[present] != 2 {
		t.Errorf("under a name that has nothing yet: %+v", s)
	}
}
