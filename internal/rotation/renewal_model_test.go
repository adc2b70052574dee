package rotation

import (
	"fmt"
	"time"

	"regcred.dev/regcred/internal/source"
)

// renew is what the source does with a lease that is to be prolonged.
func (w *world) renew(next *State, lease source.Lease) {
	left := w.ends[lease.ID].Sub(w.now)
	switch {
	case w.sourceFails || w.renewFails:
		w.troubled[lease.ID] = true
		next.NoteRenewFailed(lease.ID, 0, w.now)
	case left <= 0:
		w.troubled[lease.ID] = true
		next.NoteNotRenewed(lease.ID)
	default:
		w.renewals++
		lease.Obtained, lease.Duration = w.now, min(lifetime, left)
		if w.holders[lease.ID] == w.process {
			w.noteHolder(&lease)
		}
		w.obtained[lease.ID] = lease.Obtained.Add(lease.Duration - lifetime)
		next.NoteRenewed(lease)
	}
}

// checkRenew: only what is in use or waits is prolonged, and not more often than three times in what it was given.
func (w *world) checkRenew(step Step) error {
	lease := step.Lease.Lease
	var held *source.Lease
	for _, known := range []*source.Lease{w.state.Lease, waitingLease(&w.state)} {
		if known != nil && known.ID == lease.ID {
			held = known
		}
	}
	switch soonest := lease.Obtained.Add(lease.End().Sub(lease.Obtained) / 4); {
	case held == nil:
		return fmt.Errorf("lease %s is prolonged, and is neither in use nor does it wait", lease.ID)
	case w.released[lease.ID]:
		return fmt.Errorf("lease %s was given back", lease.ID)
	case w.now.Before(soonest) && w.state.Renewals[lease.ID].Count == 0:
		return fmt.Errorf("lease %s is prolonged %s too soon", lease.ID, soonest.Sub(w.now))
	}
	return nil
}

func waitingLease(s *State) *source.Lease {
	if s.Waiting == nil {
		return nil
	}
	return s.Waiting.Lease
}

func (r Reads) failing() bool { return r.Fault != nil }

// checkMint: while the source prolongs the lease of a value that works, nothing has another one made because it is time.
func (w *world) checkMint(step Step) error {
	s := &w.state
	if step.Cause != CausePlan || !s.Published() || s.Waiting != nil || s.Lease == nil || s.Reads.failing() || s.Value.SpecHash != w.spec.SpecHash {
		return nil
	}
	ends, renewable := w.ends[s.Lease.ID]
	if verdict, _ := s.Of(&w.spec, &s.Value); !renewable || verdict == Rejected || w.troubled[s.Lease.ID] {
		return nil
	}
	if left := ends.Sub(w.now); left > lifetime/3+time.Hour {
		return fmt.Errorf("another value is made, though lease %s can be prolonged for %s", s.Lease.ID, left)
	}
	return nil
}

// noteHolder notes that this process obtained a lease, which ends with its login.
func (w *world) noteHolder(lease *source.Lease) {
	w.holders[lease.ID], lease.LoginEnds = w.process, time.Time{}
	if w.tokenLife > 0 {
		lease.LoginEnds = w.now.Add(w.tokenLife)
	}
}

// leaveLeases has the leases of earlier processes end with the logins of these, which nobody renews.
func (w *world) leaveLeases() {
	for _, lease := range w.state.held() {
		if lease == nil || lease.LoginEnds.IsZero() || w.holders[lease.ID] == w.process {
			continue
		}
		if ends, known := w.ends[lease.ID]; known {
			w.ends[lease.ID] = earliest(ends, lease.LoginEnds)
		}
	}
}

// setClock sets the clock of the process. That of the source goes on as it did.
func (w *world) setClock(by time.Duration) {
	w.now, w.clockSet = w.now.Add(by), true
	w.alone = map[string]time.Time{}
	for _, times := range []map[string]time.Time{w.ends, w.obtained} {
		for id, at := range times {
			times[id] = at.Add(by)
		}
	}
}
