package removal

import (
	"testing"
	"time"
)

// Where more is to be lost, what was granted of it before does not serve it, and does not come back when that is corrected: what is confirmed is used up.
func TestWhatIsGrantedEndsWhereTheSameSecretsAreToLoseMore(t *testing.T) {
	ten := teams(0, 10)
	one, both := part([]string{"s.example"}, ten...), part([]string{"s.example", "t.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: one, Now: noon})
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: one, Confirmed: first.ID, Now: noon}).State
	more := Decide(granted, Facts{UID: "1", Holding: ten, Losing: both, Confirmed: first.ID, Now: noon.Add(time.Second)})
	if !more.Held || len(more.State.Granted) > 0 {
		t.Fatalf("two entries go, of which one was confirmed: %+v", more)
	}
	if d := Decide(more.State, Facts{UID: "1", Holding: ten, Losing: one, Confirmed: first.ID, Now: noon.Add(2 * time.Second)}); !d.Held || d.ID != more.ID {
		t.Errorf("one is provided again, and the other goes by the confirmation before: %+v", d)
	}
}

// As it stands for the Secrets that wait, so for their entries.
func TestAnIDStandsForTheEntriesThatWait(t *testing.T) {
	ten := teams(0, 10)
	losing := func(confirmed string, keys ...string) Facts {
		return Facts{UID: "1", Holding: ten, Losing: part(keys, ten...), Confirmed: confirmed, Now: noon}
	}
	first := Decide(State{}, losing("", "s.example"))
	both := Decide(first.State, losing("", "s.example", "t.example"))
	less := Decide(both.State, losing("", "t.example"))
	if both.ID == first.ID || less.ID != both.ID || less.State.Pending.Parts.count() != 10 {
		t.Errorf("one entry more has the same ID, or one less another: %s, %s, %+v", first.ID, both.ID, less.State.Pending)
	}
	if back := Decide(less.State, losing(both.ID, "s.example", "t.example")); !back.Held || back.ID == both.ID {
		t.Errorf("the entry that is given up again goes by the confirmation of the other: %+v", back)
	}
}

// Two removals of one window, one after the other: what was granted of the entries of the first is not granted once its time is over.
func TestWhatIsGrantedOfEntriesEndsWithItsWindow(t *testing.T) {
	ten := teams(0, 10)
	losing := part([]string{"s.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: losing, Now: noon})
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: losing, Confirmed: first.ID, Now: noon}).State
	d := Decide(granted, Facts{UID: "1", Holding: ten, Losing: losing, Now: noon.Add(Window)})
	if !d.Held || len(d.State.Granted) > 0 {
		t.Errorf("%+v", d.State)
	}
}

// What waits in the place of something else, and then once more, has another ID each time: a confirmation that came too late stays where it was written.
func TestWhatGaveWayToAnotherRemovalComesBackByAnotherID(t *testing.T) {
	ten := teams(0, 10)
	entry, all := part([]string{"s.example"}, ten...), parts(ten...)
	at := func(before State, losing []Part, confirmed string) Decision {
		return Decide(before, Facts{UID: "1", Holding: ten, Losing: losing, Confirmed: confirmed, Now: noon})
	}
	first := at(State{}, entry, "")
	typo := at(first.State, all, "")
	left := at(typo.State, entry, typo.ID)
	again := at(left.State, all, typo.ID)
	seen := map[string]bool{first.ID: true, typo.ID: true, left.ID: true, again.ID: true}
	if len(seen) != 4 || !again.Held {
		t.Errorf("of four removals that waited there are %d IDs: %s, %s, %s, %s", len(seen), first.ID, typo.ID, left.ID, again.ID)
	}
	if d := at(again.State, all, typo.ID); !d.Held {
		t.Errorf("the second typo goes by the confirmation of the first: %+v", d)
	}
}
