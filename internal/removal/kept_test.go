package removal

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestARemovalThatGoesOnIsDecidedAndKeptOnce(t *testing.T) {
	first := Decide(State{}, facts(100, teams(0, 4), "", 0))
	if !first.State.Outdates(State{}) || len(first.State.Losses) != 1 {
		t.Fatalf("%+v", first)
	}
	again := Decide(first.State, facts(100, teams(0, 4), "", time.Minute))
	if again.State.Outdates(first.State) || again.Held || len(again.State.Losses) != 1 || !again.State.GrantTime.Equal(noon) {
		t.Errorf("the same removal is decided again: %+v", again)
	}
	less := Decide(again.State, facts(99, teams(1, 4), "", 2*time.Minute))
	if less.State.Outdates(again.State) || !less.State.Granted.covers(PartsOf(parts(teams(1, 4)...)...)) {
		t.Errorf("it goes on, and that is kept: %+v", less)
	}
}

func TestARemovalIsGrantedForAWindow(t *testing.T) {
	granted := Decide(State{}, facts(100, teams(0, 4), "", 0)).State
	for _, c := range []struct {
		name  string
		after time.Duration
		since time.Duration
	}{
		{"just before its end it is the same", Window - time.Second, 0},
		{"at its end it is decided again", Window, Window},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(granted, facts(100, teams(0, 4), "", c.after))
			if want := noon.Add(c.since); !d.State.GrantTime.Equal(want) || d.State.Outdates(granted) != (c.since > 0) {
				t.Errorf("granted since %s, want %s; to be kept %t", d.State.GrantTime, want, d.State.Outdates(granted))
			}
		})
	}
}

func TestALossCountsForAWindowAndNoLonger(t *testing.T) {
	lost := State{UID: "1", Losses: []Loss{{noon, setOf(teams(0, 4)...)}}}
	for after, held := range map[time.Duration]bool{0: true, Window - time.Second: true, Window: false} {
		if d := Decide(lost, facts(6, teams(4, 8), "", after)); d.Held != held {
			t.Errorf("%s after four were lost, four of six more are held: %t, want %t", after, d.Held, held)
		}
	}
}

func TestALossThatCameBackDoesNotCount(t *testing.T) {
	lost := State{UID: "1", Losses: []Loss{{noon, setOf(teams(0, 4)...)}}}
	f := facts(10, teams(4, 8), "", time.Second)
	f.Holding = teams(0, 10) // the four of before included
	if d := Decide(lost, f); d.Held || len(d.State.Losses[0].Namespaces) > 0 {
		t.Errorf("four of ten are lost: %+v", d)
	}
	f.Holding = teams(4, 10)
	if d := Decide(lost, f); !d.Held || len(d.State.Losses[0].Namespaces) != 4 {
		t.Errorf("four of six are lost, after four others: %+v", d)
	}
}

func TestARemovalThatWaitsIsKeptOnceAndEndsWhenFewAreLeft(t *testing.T) {
	first := Decide(State{}, facts(10, teams(0, 10), "", 0))
	if again := Decide(first.State, facts(10, teams(0, 10), "", time.Second)); again.State.Outdates(first.State) || again.ID != first.ID {
		t.Errorf("what waits is kept with each look: %+v", again)
	}
	few := Decide(first.State, facts(10, teams(0, 2), "", time.Second))
	if few.Held || few.State.Pending != nil || few.State.Serial != 1 || !few.State.Granted.covers(PartsOf(parts(teams(0, 2)...)...)) {
		t.Errorf("two of ten are lost, and it waits: %+v", few)
	}
	none := Decide(first.State, facts(10, nil, "", time.Second))
	if none.Held || !none.State.Outdates(first.State) || none.State.Serial != 1 {
		t.Errorf("the selector was corrected, and that is not kept: %+v", none)
	}
}

func TestAnIDStandsForWhatWaits(t *testing.T) {
	first := Decide(State{}, facts(20, teams(0, 10), "", 0))
	if first.ID != strings.ToLower(first.ID) {
		t.Errorf("%s has capitals, which people mistype", first.ID)
	}
	other := Decide(first.State, facts(20, teams(5, 15), "", time.Second))
	if other.ID == first.ID || other.State.Pending.StandsFor(parts(teams(0, 1)...)...) {
		t.Errorf("others are to be lost, and it stands for those of before: %+v", other)
	}
	less := Decide(other.State, facts(20, teams(5, 12), "", 2*time.Second))
	if less.ID != other.ID || less.State.Pending.Parts.count() != 7 || less.State.Pending.Namespaces != 7 || !less.State.Outdates(other.State) {
		t.Errorf("what a person was told to confirm changes while less is lost, or stands for more than that: %+v", less)
	}
	if same := Decide(less.State, facts(20, teams(5, 12), "", 3*time.Second)); same.State.Outdates(less.State) {
		t.Errorf("what waits is kept with each look: %+v", same)
	}
	if back := Decide(less.State, facts(20, teams(5, 15), other.ID, 4*time.Second)); !back.Held || back.ID == other.ID {
		t.Errorf("what came back goes by the confirmation of what was left: %+v", back)
	}
}

func TestOldLossesAreAddedTogetherAndNoneIsForgotten(t *testing.T) {
	losses := func(n int) State {
		s := State{UID: "1"}
		for i := range n {
			s.Losses = append(s.Losses, Loss{noon.Add(time.Duration(i) * time.Second), setOf(fmt.Sprintf("gone-%d", i))})
		}
		return s
	}
	for _, n := range []int{MostLosses - 1, MostLosses, MostLosses + 1, MostLosses + 6} {
		once := Decide(losses(n), facts(10, nil, "", 2*time.Minute)).State
		if want := min(n, MostLosses); len(once.Losses) != want {
			t.Errorf("of %d losses %d are kept one by one, want %d", n, len(once.Losses), want)
		}
		var all Set
		for _, loss := range once.Losses {
			all = all.or(loss.Namespaces)
		}
		if len(all) != n {
			t.Errorf("of %d namespaces %d are remembered", n, len(all))
		}
		later := Decide(once, facts(10, nil, "", Window)).State // the first is an hour old, and counts with the next where it was added to that
		all = nil
		for _, loss := range later.Losses {
			all = all.or(loss.Namespaces)
		}
		want := n
		if n <= MostLosses {
			want--
		}
		if len(all) != want {
			t.Errorf("of %d namespaces that were lost within an hour %d count", want, len(all))
		}
	}
}

func TestWhatIsWorthKeeping(t *testing.T) {
	secrets := func(names ...string) Parts { return Parts{{Secrets: setOf(names...)}} }
	some := State{UID: "1", Serial: 2, Granted: secrets("a", "b"), GrantTime: noon}
	for _, c := range []struct {
		name   string
		change func(*State)
		want   bool
	}{
		{"nothing changed", func(*State) {}, false},
		{"less is granted", func(s *State) { s.Granted = secrets("a") }, false},
		{"a loss became old", func(s *State) { s.Losses = nil }, false},
		{"nothing is granted any more", func(s *State) { s.Granted = nil }, true},
		{"more is granted", func(s *State) { s.Granted = secrets("a", "b", "c") }, true},
		{"other entries are granted", func(s *State) { s.Granted[0].Keys = setOf("s.example") }, true},
		{"it is granted for longer", func(s *State) { s.GrantTime = noon.Add(time.Second) }, true},
		{"it is granted for less long, because a clock was ahead", func(s *State) { s.GrantTime = noon.Add(-time.Second) }, true},
		{"a removal waits", func(s *State) { s.Pending = &Pending{} }, true},
		{"one that waited ended", func(s *State) { s.Serial++ }, true},
		{"it is another object", func(s *State) { s.UID = "2" }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := some
			after.Granted = slices.Clone(some.Granted)
			c.change(&after)
			if got := after.Outdates(some); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
	if (State{UID: "1"}).Outdates(State{UID: "1"}) {
		t.Error("that nothing is granted is kept again and again")
	}
}

func TestSets(t *testing.T) {
	ab := setOf("b", "a", "b")
	if len(ab) != 2 || !ab.has("a") || !ab.has("b") || ab.has("c") {
		t.Errorf("a name is in a set once: %v", ab)
	}
	if left := ab.not(setOf("a")); left.has("a") || !left.has("b") || !ab.has("a") || len(ab) != 2 || ab[1] == 0 {
		t.Errorf("%v, of %v", left, ab)
	}
	for range 10 { // in each order
		if both := setOf("c").or(ab).or(ab); len(both) != 3 || !both.has("a") || !both.has("b") || !both.has("c") {
			t.Errorf("%v", both)
		}
	}
}

func TestASetThatWasWrittenByHandIsReadOrRefused(t *testing.T) {
	text := func(packed ...byte) string { return base64.RawStdEncoding.EncodeToString(packed) }
	var s Set
	if err := s.UnmarshalText([]byte(text(0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 9))); err != nil || !reflect.DeepEqual(s, Set{1, 9}) {
		t.Errorf("%v: %v", s, err)
	}
	for name, wrong := range map[string]string{"half a member": text(0, 0, 0, 9, 7), "no base64": "%%%%"} {
		if err := s.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%s is taken: %v", name, s)
		}
		if got := Decode(fmt.Appendf(nil, `{"uid":"1","serial":7,"grants":[{"secrets":%q}]}`, wrong)); !reflect.DeepEqual(got, State{}) {
			t.Errorf("%s: %+v is believed", name, got)
		}
	}
	if got := Decode(nil); !reflect.DeepEqual(got, State{}) {
		t.Errorf("%+v out of nothing", got)
	}
}

// Who reads again what is kept knows of the same grant what is over, and of another one nothing.
func TestWhatIsReadAgainIsGrantedNoLongerThanItWas(t *testing.T) {
	secrets := func(names ...string) Parts { return Parts{{Secrets: setOf(names...)}} }
	kept := State{UID: "company", Serial: 2, Granted: secrets("a", "b"), GrantTime: noon}
	for _, test := range []struct {
		name  string
		known State
		want  Parts
	}{
		{"it is as it was", kept, secrets("a", "b")},
		{"a part is over", State{Granted: secrets("b"), GrantTime: noon}, secrets("b")},
		{"it is over", State{GrantTime: noon}, nil},
		{"what is known is of an earlier grant", State{Granted: secrets("b"), GrantTime: noon.Add(-1)}, secrets("a", "b")},
		{"nothing is known", State{}, secrets("a", "b")},
	} {
		if got := kept.After(test.known); !reflect.DeepEqual(got.Granted, test.want) || got.Serial != 2 || !got.GrantTime.Equal(noon) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}
