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

// As it stands for the Secrets of all that waited since it began, so for their entries.
func TestAnIDStandsForAllEntriesThatWaitedSinceItBegan(t *testing.T) {
	ten := teams(0, 10)
	losing := func(key string) Facts {
		return Facts{UID: "1", Holding: ten, Losing: part([]string{key}, ten...), Now: noon}
	}
	first := Decide(State{}, losing("s.example"))
	other := Decide(first.State, losing("t.example"))
	if other.ID == first.ID || !other.State.Pending.Keys.covers(setOf("s.example", "t.example")) {
		t.Errorf("%+v", other.State.Pending)
	}
	if back := Decide(other.State, losing("s.example")); back.ID != other.ID {
		t.Error("what a person was told to confirm changes while less is lost")
	}
}

// Two removals of one window, one after the other: what was granted of the entries of the first is not granted once its time is over.
func TestWhatIsGrantedOfEntriesEndsWithItsWindow(t *testing.T) {
	ten := teams(0, 10)
	losing := part([]string{"s.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: losing, Now: noon})
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: losing, Confirmed: first.ID, Now: noon}).State
	d := Decide(granted, Facts{UID: "1", Holding: ten, Losing: losing, Now: noon.Add(Window)})
	if !d.Held || len(d.State.Granted) > 0 || len(d.State.GrantedKeys) > 0 {
		t.Errorf("%+v", d.State)
	}
}
