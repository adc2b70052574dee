package removal

import (
	"slices"
	"testing"
	"time"
)

// Whatever happened before, what is granted is what is to be lost, all of it or nothing, and what is held is what somebody has to confirm.
func checked(t *testing.T, before State, f Facts) Decision {
	t.Helper()
	d := Decide(before, f)
	losing := PartsOf(f.Losing...)
	if all := d.State.Granted.covers(losing); d.Held == all || d.Held != (d.ID != "") || d.Held && d.Grants {
		t.Errorf("all are granted: %t, held: %t, ID %q, grants: %t", all, d.Held, d.ID, d.Grants)
	}
	if !losing.covers(d.State.Granted) {
		t.Errorf("granted is %v, of %v", d.State.Granted, losing)
	}
	return d
}

// confirmed is what is kept after a person confirmed that these are lost.
func confirmed(t *testing.T, holding int, losing []string) State {
	t.Helper()
	first := checked(t, State{}, facts(holding, losing, "", 0))
	d := checked(t, first.State, facts(holding, losing, first.ID, time.Minute))
	if !first.Held || !d.Grants {
		t.Fatalf("held: %t, granted: %t", first.Held, d.Grants)
	}
	return d.State
}

func TestAConfirmationIsGoodForAWindowFromWhenItWasSeen(t *testing.T) {
	ten := teams(0, 10)
	state := confirmed(t, 10, ten)
	for _, later := range []time.Duration{time.Second, Window - time.Second} {
		if d := checked(t, state, facts(10, ten, "", time.Minute+later)); d.Held || d.Grants {
			t.Errorf("%s later, held: %t, granted anew: %t", later, d.Held, d.Grants)
		}
	}
	if d := checked(t, state, facts(10, ten, "", time.Minute+Window)); !d.Held {
		t.Error("it is good for longer")
	}
}

// Whoever corrects a part of a mistake, and confirms the rest, has said nothing of that part.
func TestAConfirmationGrantsNothingToWhomLosesNothingAnyMore(t *testing.T) {
	ten := teams(0, 10)
	first := checked(t, State{}, facts(10, ten, "", 0))
	part := checked(t, first.State, Facts{UID: "1", Holding: ten, Losing: parts(ten[:7]...), Confirmed: first.ID, Now: noon.Add(time.Minute)})
	if part.Held || part.State.Granted.count() != 7 {
		t.Errorf("held: %t, granted to %d of 7", part.Held, part.State.Granted.count())
	}
}

// A person has seen what he confirmed: beside it, and after it, a few may go as if it had not been.
func TestWhatAPersonConfirmedCountsWithNothingElse(t *testing.T) {
	state := confirmed(t, 20, teams(0, 10))
	for what, f := range map[string]Facts{
		"while it goes on": facts(20, teams(0, 14), "", 2*time.Minute),
		"when it is over":  facts(10, teams(10, 14), "", 2*time.Minute),
	} {
		if d := checked(t, state, f); d.Held || !d.Grants {
			t.Errorf("%s, four of ten others are held: %t", what, d.Held)
		}
		f.Losing, f.Holding = slices.Concat(f.Losing, parts(teams(14, 16)...)), slices.Concat(f.Holding, teams(14, 16))
		if d := checked(t, state, f); !d.Held {
			t.Errorf("%s, six others go", what)
		}
	}
}

func TestWhatWaitedBesideWhatIsGrantedWaitsNoMoreWhereItIsCorrected(t *testing.T) {
	few := checked(t, State{}, facts(30, teams(0, 3), "", 0))
	more := checked(t, few.State, facts(30, teams(0, 13), "", time.Second))
	if few.Held || !more.Held {
		t.Fatalf("three of thirty are held: %t; thirteen are: %t", few.Held, more.Held)
	}
	if d := checked(t, more.State, facts(30, teams(0, 3), "", 2*time.Second)); d.Held || d.State.Pending != nil {
		t.Errorf("the three that were granted before: %+v", d)
	}
}

// First a label is mistaken, then the selector.
func TestTheLastNamespacesWaitThoughOneWasLostBefore(t *testing.T) {
	one := checked(t, State{}, facts(3, teams(0, 1), "", 0))
	f := facts(2, teams(1, 3), "", time.Minute)
	f.Unaimed = true
	if d := checked(t, one.State, f); !d.Held {
		t.Error("the last two go")
	}
}

func TestWhatOneLostBeforeItWasMadeAgainDoesNotCount(t *testing.T) {
	before := checked(t, State{}, facts(10, teams(0, 4), "", 0)).State
	f := facts(8, teams(4, 8), "", time.Minute)
	f.UID = "2"
	if d := checked(t, before, f); d.Held || len(d.State.Losses) != 1 {
		t.Errorf("four are held: %t, and remembered are %d losses", d.Held, len(d.State.Losses))
	}
}
