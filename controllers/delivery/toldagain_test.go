package delivery

import (
	"testing"

	"regcred.dev/regcred/internal/delivered"
)

// The status says what would go by the ID that it names. It is written again when that changes, also where the ID is the same.
func TestWhatARemovalThatWaitsWouldTakeIsToldAgainWhenItChanges(t *testing.T) {
	g, _ := givesUp(t)
	looked := 0
	g.r.Board = delivered.NewBoard(func(string) { looked++ })
	decide := func(want int, when string) {
		t.Helper()
		looked = 0
		object := g.company()
		k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
		if err := g.r.decide(t.Context(), object, k); err != nil || looked != want {
			t.Errorf("%s it is looked at %d times, want %d; what would go is %q by %s: %v", when, looked, want, k.outcome.What, k.outcome.ID, err)
		}
	}
	g.selects("shpo")
	decide(1, "when all of it is to go")
	g.selects("shop")
	decide(1, "when the entry of one registry is to go, and no more")
	decide(0, "while nothing changes")
	g.selects("shpo")
	decide(1, "when all of it is to go again")
}

func TestTheStatusIsWrittenAgainWhereWhatWaitsChanges(t *testing.T) {
	waits := delivered.Removal{Losing: 7, What: "it", Held: true, ID: "abc"}
	fewer, other, goes := waits, waits, delivered.Removal{Losing: 7, What: "it"}
	fewer.Losing, other.What = 6, "its entry for s.example"
	for _, test := range []struct {
		name        string
		before, now delivered.Removal
		want        bool
	}{
		{"it begins to wait", delivered.Removal{}, waits, true},
		{"nothing changes", waits, waits, false},
		{"fewer lose something, by the same ID", waits, fewer, true},
		{"something else goes, by the same ID", waits, other, true},
		{"it waits no more", waits, goes, true},
		{"it goes on, and nobody has to do anything", goes, delivered.Removal{Losing: 3, What: "it"}, false},
	} {
		k := &keeper{outcome: test.before}
		if got := k.tells(test.now); got != test.want || k.outcome != test.now {
			t.Errorf("%s: %t, and kept is %+v", test.name, got, k.outcome)
		}
	}
}
