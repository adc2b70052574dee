package delivered

import (
	"fmt"
	"testing"
)

func filled(namespaces, credentials int) *Board {
	board := NewBoard(func(string) {})
	for i := range namespaces {
		deliveries := map[string]Delivery{}
		for c := range credentials {
			deliveries[fmt.Sprintf("team-%d", c)] = Delivery{Selected: true, Version: Version{"1", "d"}, Generation: 1, Observed: 1}
		}
		board.Post(Place{fmt.Sprintf("n-%05d", i), "regcred"}, deliveries)
	}
	return board
}

func TestASummaryAllocatesTheSameHoweverManyNamespacesThereAre(t *testing.T) {
	few, many := filled(100, 1), filled(10000, 5)
	allocations := func(b *Board) float64 {
		return testing.AllocsPerRun(100, func() { _ = b.Summary("team-0", "regcred") })
	}
	if a, b := allocations(few), allocations(many); b > a {
		t.Errorf("%v allocations with 100 namespaces, %v with 10,000", a, b)
	}
	at := testing.AllocsPerRun(100, func() { _, _ = many.At(Place{"n-00007", "regcred"}, "team-0") })
	if at > 0 {
		t.Errorf("a look at one place makes %v allocations", at)
	}
}

func TestASummaryCountsAsDeliveriesComeIn(t *testing.T) {
	board := NewBoard(func(string) {})
	board.Select("a", "regcred", 2, []string{"x", "y", "z"})
	want, right := Version{"7", "d"}, Delivery{Selected: true, Version: Version{"7", "d"}, Generation: 2, Observed: 2}
	if s := board.Summary("a", "regcred"); s.Selected != 3 || s.Unknown != 3 || s.Everywhere(want, 2) {
		t.Errorf("before anything was looked at: %+v", s)
	}
	for _, namespace := range []string{"x", "y", "z"} {
		board.Post(Place{namespace, "regcred"}, map[string]Delivery{"a": right})
	}
	s := board.Summary("a", "regcred")
	if !s.Everywhere(want, 2) || s.Everywhere(want, 3) || s.Everywhere(Version{"7", "e"}, 2) || s.Holds(want) != 3 {
		t.Errorf("all is right for revision 7 and generation 2, and for nothing else: %+v", s)
	}
	failing, stale := right, Delivery{Version: Version{"6", ""}, Observed: 1}
	failing.Reason, failing.ServiceAccounts = "Contested", true
	board.Post(Place{"x", "regcred"}, map[string]Delivery{"a": failing})
	board.Post(Place{"y", "regcred"}, map[string]Delivery{"a": stale}) // by an older spec: it does not say what is selected
	s = board.Summary("a", "regcred")
	if s.Selected != 3 || s.Failed(true) != 1 || s.Failed(false) != 0 || len(s.Failures) != 1 || s.Failures[0].Namespace != "x" || s.Everywhere(want, 2) {
		t.Errorf("%+v", s)
	}
	if s.Lacking(want) != 1 { // what is wrong with a ServiceAccount changes nothing of the Secret
		t.Errorf("%d namespaces lack the value: %+v", s.Lacking(want), s)
	}
	failing.ServiceAccounts = false
	board.Post(Place{"x", "regcred"}, map[string]Delivery{"a": failing})
	failing.Reason, failing.TakenBy = "", "b"
	board.Post(Place{"z", "regcred"}, map[string]Delivery{"a": failing})
	if s := board.Summary("a", "regcred"); s.Lacking(want) != 3 {
		t.Errorf("%d namespaces lack the value, want all: %+v", s.Lacking(want), s)
	}
	board.Select("a", "other", 3, []string{"x"})
	if s := board.Summary("a", "other"); s.Selected != 1 || s.Unselected != 3 {
		t.Errorf("under another name: %+v", s)
	}
	board.Forget("a")
	if places := board.Places("a"); len(places) != 0 {
		t.Errorf("%v", places)
	}
}

func BenchmarkSummary(b *testing.B) {
	for _, size := range [][2]int{{100, 1}, {10000, 1}, {100, 50}, {10000, 50}} {
		board := filled(size[0], size[1])
		b.Run(fmt.Sprintf("%d-namespaces-%d-credentials", size[0], size[1]), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = board.Summary("team-0", "regcred")
			}
		})
	}
}

// In most namespaces the same became of a RegistryCredential, and that is kept once.
func TestEqualDeliveriesAreKeptOnce(t *testing.T) {
	board := filled(100, 1)
	equal := func() int { return len(board.groups["team-0"]["regcred"].equal) }
	if equal() != 1 {
		t.Errorf("%d are kept of 100 that are equal", equal())
	}
	for i := range 50 {
		board.Post(Place{fmt.Sprintf("n-%05d", i), "regcred"}, map[string]Delivery{"team-0": {Selected: true, Observed: 1, Reason: "Failed", Message: fmt.Sprint(i)}})
	}
	if equal() != 51 {
		t.Errorf("%d are kept, of which 51 are not equal", equal())
	}
	board.Select("team-0", "regcred", 2, []string{"n-00099"})
	if other, _ := board.At(Place{"n-00099", "regcred"}, "team-0"); !other.Selected {
		t.Error("what is said of one namespace is said of all that are like it")
	}
	for i := range 100 {
		board.Post(Place{fmt.Sprintf("n-%05d", i), "regcred"}, nil)
	}
	if equal() != 0 {
		t.Errorf("%d are kept of none", equal())
	}
}
