package removal

import (
	"slices"
	"testing"
	"time"
)

// The people of a namespace write records, and what they wrote while no operator ran counts as delivered. A key too many in one of them takes nothing from what
// a person confirmed for the others.
func TestAnEntryTooManyInOneNamespaceTakesNothingFromWhatTheOthersWereGranted(t *testing.T) {
	ten := teams(0, 10)
	seen := part([]string{"s.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: seen, Now: noon})
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: seen, Confirmed: first.ID, Now: noon}).State
	now := slices.Concat(seen[:9], part([]string{"s.example", "forged.example"}, ten[9]))
	limited := granted.LimitedTo(now)
	for _, p := range now[:9] {
		if !limited.Grants(p) {
			t.Fatalf("%s was granted its entry, and another namespace has an entry too many: it is not granted any more", p.Namespace)
		}
	}
	if limited.Grants(now[9]) {
		t.Error("the entry that nobody knew of is granted")
	}
	if d := Decide(granted, Facts{UID: "1", Holding: ten, Losing: now, Confirmed: first.ID, Now: noon.Add(time.Second)}); d.Held {
		t.Errorf("a removal that was confirmed waits for another confirmation, because of one namespace: %+v", d.State.Pending)
	}
}
