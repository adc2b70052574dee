package removal

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Facts are what a decision rests on.
type Facts struct {
	UID types.UID
	// Holding are the names of the namespaces that hold entries of the RegistryCredential, those that are to lose them included.
	Holding []string
	// Losing is what Secrets of them are to lose.
	Losing []Part
	// Unaimed says that the RegistryCredential stays and selects no namespace any more: whoever holds entries is to lose them.
	Unaimed bool
	// Confirmed is what a person wrote: the ID of a removal.
	Confirmed string
	Now       time.Time
}

// Decision says what may be removed.
type Decision struct {
	// State to keep before anything is removed, where it outdates what is kept. Its Granted may lose their entries.
	State State
	// Grants is true where State grants what was not granted before.
	Grants bool
	// Held is true where namespaces wait for the confirmation of ID.
	Held bool
	ID   string
}

// Decide grants a removal that is small, or that a person confirmed, and holds any other. One that leaves nobody with the credential is
// never small: a selector with a typo selects nothing. What was lost within the window, and did not come back, counts as held before and
// lost by the same mistake. Either all that is to be lost is granted, or nothing of it.
func Decide(before State, f Facts) Decision {
	state := before
	if state.UID != f.UID {
		state = State{UID: f.UID}
	}
	losing, holding := setOf(Namespaces(f.Losing)...), setOf(f.Holding...)
	var lost Set
	state.Losses, lost = recent(state.Losses, holding.not(losing), f.Now)
	state = state.LimitedTo(f.Losing) // what is not lost any more is not granted for a later time
	if state.GrantTime.After(f.Now) { // noted by a clock that was wrong
		state.GrantTime = f.Now
	}
	if f.Now.Sub(state.GrantTime) >= Window {
		state.Granted = nil
	}
	left, grants := state.left(f.Losing), false
	switch {
	case len(left) == 0:
		state = state.settled()
	case state.Pending != nil && f.Confirmed == state.Pending.ID && state.Pending.StandsFor(f.Losing...):
		state, grants = state.settled().granting(f), true
	case f.Unaimed, tooMany(len(lost.or(left)), len(lost.or(holding))): // what was granted a moment ago can be there still
		state = state.waiting(f.Losing)
	default:
		state, grants = state.settled().granting(f), true
		state.Losses = append(state.Losses, Loss{f.Now, left})
	}
	d := Decision{State: state, Grants: grants, Held: state.Pending != nil}
	if d.Held {
		d.ID = state.Pending.ID
	}
	return d
}

func tooMany(losing, holding int) bool { return losing > Few && losing*Share > holding }

// left are the namespaces that are to lose something that is not granted.
func (s State) left(losing []Part) Set {
	return setOf(Namespaces(slices.DeleteFunc(slices.Clone(losing), s.Grants))...)
}

// granting is a State that grants all that is to be lost.
func (s State) granting(f Facts) State {
	s.Granted, s.GrantTime = PartsOf(f.Losing...), f.Now
	return s
}

// waiting is a State in which all that is to be lost waits for a person. The ID stays while nothing else is to be lost than it stands for, and then it
// stands for no more than that: what a person confirms is what the status said last.
func (s State) waiting(losing []Part) State {
	now := &Pending{Parts: PartsOf(losing...), Namespaces: len(Namespaces(losing))}
	switch {
	case s.Pending == nil || !s.Pending.StandsFor(losing...):
		s = s.settled() // what gave way has another ID where it comes back
		digest := sha256.Sum256(fmt.Appendf(now.Parts.bytes(), "\n%s\n%d", s.UID, s.Serial))
		now.ID = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(digest[:5]))
		s.Pending = now
	default:
		if now.Parts = s.Pending.Parts.limitedTo(losing); now.Parts.count() < s.Pending.Parts.count() {
			now.ID = s.Pending.ID
			s.Pending, s.Serial = now, s.Serial+1 // else what comes back would have the ID that stood for it before
		}
	}
	return s
}

// recent keeps the losses within the window, and says which namespaces were lost and did not come back. A time
// that lies ahead was noted by a clock that was wrong, and counts as now.
func recent(losses []Loss, back Set, now time.Time) (kept []Loss, lost Set) {
	for _, loss := range losses {
		if loss.Time.After(now) {
			loss.Time = now
		}
		if now.Sub(loss.Time) < Window {
			loss.Namespaces = loss.Namespaces.not(back)
			kept = append(kept, loss)
			lost = lost.or(loss.Namespaces)
		}
	}
	for len(kept) > MostLosses {
		kept[1].Namespaces = kept[1].Namespaces.or(kept[0].Namespaces)
		kept = kept[1:]
	}
	return kept, lost
}

// settled ends what waited.
func (s State) settled() State {
	if s.Pending != nil {
		s.Pending, s.Serial = nil, s.Serial+1
	}
	return s
}
