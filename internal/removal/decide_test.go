package removal

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func teams(from, to int) []string {
	var names []string
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("team-%03d", i))
	}
	return names
}

// parts are whole Secrets of namespaces.
func parts(namespaces ...string) []Part {
	var all []Part
	for _, namespace := range namespaces {
		all = append(all, Part{Namespace: namespace, Secret: "regcred"})
	}
	return all
}

// facts of so many namespaces that hold the credential: those that lose it, and others.
func facts(holding int, losing []string, confirmed string, after time.Duration) Facts {
	holds := append([]string{}, losing...)
	for i := range holding - len(losing) {
		holds = append(holds, fmt.Sprintf("other-%03d", i))
	}
	return Facts{UID: "1", Holding: holds, Losing: parts(losing...), Confirmed: confirmed, Now: noon.Add(after)}
}

// Up to five namespaces, or a fifth, are few: people are asked for none of them, and for one more they are.
func TestOneLookDecidesOnAllThatIsLost(t *testing.T) {
	for _, c := range []struct {
		name            string
		holding, losing int
		held            bool
	}{
		{"nothing is lost", 100, 0, false},
		{"five of five are few", 5, 5, false},
		{"six of six are too many", 6, 6, true},
		{"twenty of a hundred are a fifth", 100, 20, false},
		{"twenty-one of a hundred are more", 100, 21, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			losing := teams(0, c.losing)
			d := Decide(State{}, facts(c.holding, losing, "", 0))
			if d.Held != c.held || (d.ID != "") != c.held || d.State.Granted.covers(PartsOf(parts(losing...)...)) == c.held {
				t.Errorf("%+v, want held %t", d, c.held)
			}
		})
	}
}

// A typo in a selector selects nothing: that is no small removal, however few namespaces have the credential.
func TestTheLastNamespacesWaitForAPerson(t *testing.T) {
	unaimed := func(losing []string, confirmed string, after time.Duration) Facts {
		f := facts(len(losing), losing, confirmed, after)
		f.Unaimed = true
		return f
	}
	for _, n := range []int{1, 3, 5} {
		first := Decide(State{}, unaimed(teams(0, n), "", 0))
		if !first.Held || first.ID == "" || len(first.State.Granted) > 0 {
			t.Errorf("%d of %d go unconfirmed: %+v", n, n, first)
		}
		if confirmed := Decide(first.State, unaimed(teams(0, n), first.ID, time.Second)); confirmed.Held || !confirmed.State.Granted.covers(PartsOf(parts(teams(0, n)...)...)) {
			t.Errorf("the confirmation is not granted: %+v", confirmed)
		}
		if aimed := Decide(first.State, facts(n, teams(0, n), "", time.Second)); aimed.Held || !aimed.State.Granted.covers(PartsOf(parts(teams(0, n)...)...)) {
			t.Errorf("another namespace is selected, and it waits all the same: %+v", aimed)
		}
		if undone := Decide(first.State, facts(n, nil, "", time.Second)); undone.Held || len(undone.State.Granted) > 0 {
			t.Errorf("the change is undone: %+v", undone)
		}
	}
	granted := Decide(State{}, facts(4, teams(0, 2), "", 0)).State
	if going := Decide(granted, unaimed(teams(0, 2), "", time.Second)); going.Held {
		t.Errorf("what was granted before is held: %+v", going)
	}
	if none := Decide(State{}, unaimed(nil, "", 0)); none.Held {
		t.Errorf("nothing is lost, and it waits: %+v", none)
	}
}

func TestManySmallLossesWithinAnHourAreOneLargeOne(t *testing.T) {
	var state State
	gone := 0
	for i := 0; i < 100; i += 4 {
		d := Decide(state, facts(100-gone, teams(gone, gone+4), "", time.Duration(i)*time.Second))
		if d.Held {
			break
		}
		state = Decode(must(d.State.Encode())) // each time after a restart
		gone += 4
	}
	if gone != 20 {
		t.Errorf("%d of 100 namespaces were let go within two minutes, 20 may", gone)
	}
	if d := Decide(state, facts(100-gone, teams(gone, gone+4), "", 2*time.Hour)); d.Held {
		t.Error("what was lost two hours ago still counts")
	}
}

func TestNamespacesThatComeAndGoAreNotLost(t *testing.T) {
	var state State
	for i := range 20 {
		pair, other := teams(0, 2), teams(2, 4)
		if i%2 == 1 {
			pair, other = other, pair
		}
		d := Decide(state, Facts{UID: "1", Holding: append(other, pair...), Losing: parts(pair...), Now: noon.Add(time.Duration(i) * time.Minute)})
		if d.Held {
			t.Fatalf("round %d is held", i)
		}
		state = d.State
	}
}

func must(encoded []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return encoded
}

func TestAConfirmationIsForOneRemovalAndIsUsedUp(t *testing.T) {
	ten := teams(0, 10)
	first := Decide(State{}, facts(10, ten, "", 0))
	if again := Decide(first.State, facts(10, ten[:8], "", time.Second)); again.ID != first.ID {
		t.Error("the ID changes although less is lost")
	}
	if more := Decide(first.State, facts(11, teams(0, 11), first.ID, time.Second)); !more.Held || more.ID == first.ID {
		t.Errorf("a confirmation covers a namespace that it did not know of: %+v", more)
	}
	if other := Decide(first.State, facts(10, ten, "12", time.Second)); !other.Held {
		t.Error("any value confirms")
	}
	confirmed := Decide(first.State, facts(10, ten, first.ID, time.Second))
	if confirmed.Held || !confirmed.State.Outdates(first.State) || !confirmed.State.Granted.covers(PartsOf(parts(ten...)...)) {
		t.Fatalf("it is not granted: %+v", confirmed)
	}
	kept := Decode(must(confirmed.State.Encode()))
	over := Decide(kept, facts(0, nil, first.ID, time.Minute))
	if !over.State.Outdates(kept) || len(over.State.Granted) > 0 {
		t.Errorf("the end of the removal is not kept: %+v", over)
	}
	if later := Decide(over.State, facts(10, ten, first.ID, 2*time.Minute)); !later.Held || later.ID == first.ID {
		t.Errorf("the same namespaces are lost again by the old confirmation: %+v", later)
	}
}

func TestAnotherObjectOfTheSameNameStartsAfresh(t *testing.T) {
	first := Decide(State{}, facts(10, teams(0, 10), "", 0))
	f := facts(10, teams(0, 10), first.ID, time.Second)
	f.UID = "2"
	if d := Decide(first.State, f); !d.Held || d.ID == first.ID {
		t.Errorf("the confirmation of an object that is gone serves another one: %+v", d)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(must(Decide(State{}, facts(10, teams(0, 10), "", 0)).State.Encode()))
	f.Fuzz(func(_ *testing.T, encoded []byte) { Decide(Decode(encoded), facts(10, teams(0, 10), "x", 0)) })
}

func TestALossThatAClockNotedAheadCountsForOneWindow(t *testing.T) {
	ahead := Decide(State{}, facts(14, teams(0, 4), "", 365*24*time.Hour)).State
	corrected := Decide(ahead, facts(10, nil, "", 0)).State
	if soon := Decide(corrected, facts(10, teams(4, 8), "", time.Minute)); !soon.Held {
		t.Error("a loss of a moment ago does not count")
	}
	if later := Decide(corrected, facts(10, teams(4, 8), "", Window+time.Minute)); later.Held {
		t.Error("a loss of a year ahead counts for a year")
	}
}

func TestWhatAClockGrantedAheadIsGrantedForOneWindow(t *testing.T) {
	ahead := Decide(State{}, facts(14, teams(0, 4), "", 365*24*time.Hour)).State
	corrected := Decide(ahead, facts(14, teams(0, 4), "", 0)).State
	if later := noon.Add(Window); later.Sub(corrected.GrantTime) < Window {
		t.Errorf("it is granted until %s", corrected.GrantTime.Add(Window))
	}
}

func TestALossWhoseRemovalGoesOnStillCounts(t *testing.T) {
	holding := teams(0, 10)
	first := Decide(State{}, Facts{UID: "1", Holding: holding, Losing: parts(teams(0, 4)...), Now: noon})
	if first.Held {
		t.Fatal("four of ten are held")
	}
	// The entries of these four are still there: they are about to be removed, and did not come back.
	second := Decide(first.State, Facts{UID: "1", Holding: holding, Losing: parts(teams(0, 8)...), Now: noon.Add(time.Second)})
	if !second.Held {
		t.Error("eight of ten go within a second, as four and four")
	}
}

// Of those that hold the credential a namespace is one, also while what was granted a moment ago is still there.
func TestAFifthIsOfTheNamespacesThatThereAre(t *testing.T) {
	first := Decide(State{}, facts(100, teams(0, 20), "", 0))
	if first.Held {
		t.Fatal("twenty of a hundred are held")
	}
	if second := Decide(first.State, facts(100, teams(0, 21), "", time.Second)); !second.Held {
		t.Error("twenty-one of a hundred go within a second, as twenty and one")
	}
}

// A namespace whose loss was granted counts once while its entries are still there, and from when it was granted.
func TestARemovalThatGoesOnCountsOnce(t *testing.T) {
	first := Decide(State{}, facts(10, teams(0, 3), "", 0))
	second := Decide(first.State, facts(10, teams(0, 4), "", Window/2))
	if first.Held || second.Held {
		t.Fatalf("four of ten are held: %+v", second)
	}
	if third := Decide(second.State, facts(6, teams(4, 9), "", Window)); !third.Held {
		t.Error("six of seven go within an hour")
	}
	if third := Decide(second.State, facts(6, teams(4, 8), "", Window)); third.Held {
		t.Error("three that went an hour ago count with what goes now")
	}
}

// Who corrects a mistake before it was carried out does not allow the next one of the same namespaces.
func TestWhatIsCorrectedIsGrantedNoMore(t *testing.T) {
	ten := teams(0, 10)
	first := Decide(State{}, facts(12, ten, "", 0))
	granted := Decide(first.State, facts(12, ten, first.ID, time.Second))
	corrected := Decide(granted.State, Facts{UID: "1", Holding: ten, Confirmed: first.ID, Now: noon.Add(2 * time.Second)})
	if granted.State.Granted.count() != 10 || len(corrected.State.Granted) > 0 || !corrected.State.Outdates(granted.State) {
		t.Errorf("still granted: %+v", corrected.State)
	}
	if again := Decide(corrected.State, facts(12, ten, first.ID, 3*time.Second)); !again.Held {
		t.Error("the next mistake does not wait")
	}
	part := Decide(granted.State, facts(12, ten[:6], first.ID, 2*time.Second))
	if again := Decide(part.State, facts(12, ten, first.ID, 3*time.Second)); !again.Held && !again.Grants {
		t.Error("what was corrected in part goes by the confirmation before")
	}
}
