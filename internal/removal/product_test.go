package removal

import (
	"slices"
	"testing"
	"time"
)

// Some Secrets are to lose one entry and others two, because somebody else lists the second for the same Secret of some. What was seen and granted of the
// others is not what these come to lose, whoever reads it: also the process that starts next, which knows of no look before.
func TestWhatSomeSecretsLoseIsNeitherConfirmedNorGrantedForTheOthers(t *testing.T) {
	ten := teams(0, 10)
	seen := slices.Concat(part([]string{"s.example"}, ten[:7]...), part([]string{"s.example", "t.example"}, ten[7:]...))
	more := part([]string{"s.example", "t.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: seen, Now: noon})
	if d := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: more, Confirmed: first.ID, Now: noon.Add(time.Second)}); !d.Held || d.ID == first.ID {
		t.Errorf("seven namespaces more lose the second entry, by the same ID: %+v", d)
	}
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: seen, Confirmed: first.ID, Now: noon}).State
	next := Decode(must(granted.Encode()))
	if d := Decide(next, Facts{UID: "1", Holding: ten, Losing: more, Confirmed: first.ID, Now: noon.Add(time.Second)}); !d.Held || d.State.Grants(more[0]) {
		t.Errorf("seven namespaces more lose the second entry by what the others were granted: %+v", d)
	}
}
