package rotation

import (
	"slices"
	"time"

	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// tooLittle is the part of its time that a lease must gain by being prolonged. One that gains less has come to its end.
const tooLittle = 20

// renewed are the values whose leases are prolonged: the one in use, and one that waits and whose content this process has.
func (s *State) renewed() []*Value {
	values := []*Value{&s.Value}
	if s.Waiting != nil && s.Waiting.Config != nil {
		values = append(values, &s.Waiting.Value)
	}
	return slices.DeleteFunc(values, func(v *Value) bool { return !v.Lease.Renews() })
}

// renewal is the lease that is prolonged next, and when.
func (s *State) renewal(spec *Spec) (*source.Lease, time.Time) {
	var next *source.Lease
	at := never
	for _, value := range s.renewed() {
		if due := s.renewsAt(spec, value.Lease); due.Before(at) {
			next, at = value.Lease, due
		}
	}
	return next, at
}

// DueRenewal is a lease that is to be prolonged now, false where none is.
func (s *State) DueRenewal(spec *Spec, now time.Time) (source.Lease, bool) {
	if spec.Suspended {
		return source.Lease{}, false
	}
	lease, at := s.renewal(spec)
	if lease == nil || at.After(now) {
		return source.Lease{}, false
	}
	return *lease, true
}

func (s *State) renewsAt(spec *Spec, lease *source.Lease) time.Time {
	if tried := s.Renewals[lease.ID]; tried.Count > 0 {
		return schedule.AfterFailure(tried.Last, tried.Count, tried.Told, spec.Random)
	}
	return schedule.Renewal(lease.Obtained, lease.End(), lease.Term, spec.Random)
}

// dueRead is when the source is read again where all is well. While the lease of the value that it gave last is prolonged, that is
// never: each read would make another one. Once the lease is prolonged no more it is at once, since little of it is left.
func (s *State) dueRead(spec *Spec, last schedule.LastRead) time.Time {
	known := s.latest()
	switch lease := known.Lease; {
	case last.Minted && lease == nil && last.Expire.IsZero():
		return never
	case !last.Minted || lease == nil:
	case lease.Spent:
		return time.Time{}
	case lease.Renews():
		return never
	default:
		last.Time, last.Expire = latest(last.Time, known.Begins()), known.ExpireTime
	}
	return schedule.Next(last, spec.Refresh, spec.Random)
}

// NoteRenewed notes a lease as it is after the source prolonged it. What it gained is held against the time that it had: its term, or less
// where the login that asked for it ends before.
func (s *State) NoteRenewed(lease source.Lease) {
	s.changeLease(lease.ID, func(before source.Lease) source.Lease {
		had, gained := min(before.Term, before.End().Sub(before.Obtained)), lease.End().Sub(before.End())
		lease.Spent = gained <= had/tooLittle
		return lease
	})
}

// NoteNotRenewed notes that the source prolongs a lease no more.
func (s *State) NoteNotRenewed(id string) {
	s.changeLease(id, func(lease source.Lease) source.Lease {
		lease.Spent = true
		return lease
	})
}

// NoteRenewFailed notes that a lease could not be prolonged now, and returns how often in a row. told is how long the source asked to
// wait. When half of the time is gone that was left for another credential, one is obtained.
func (s *State) NoteRenewFailed(id string, told time.Duration, now time.Time) int {
	tried := Attempts{Count: s.Renewals[id].Count + 1, Last: now, Told: told}
	renewals := map[string]Attempts{id: tried}
	for other, attempts := range s.Renewals {
		if other != id && slices.ContainsFunc(s.held(), func(l *source.Lease) bool { return l != nil && l.ID == other }) {
			renewals[other] = attempts
		}
	}
	s.Renewals = renewals
	for _, value := range s.renewed() {
		lease := value.Lease
		if left := min(lease.Term, lease.End().Sub(lease.Obtained)) / 6; lease.ID == id && !now.Before(lease.End().Add(-left)) {
			s.NoteNotRenewed(id)
			break
		}
	}
	return tried.Count
}

// changeLease puts a lease in the place of the one with its ID. States share leases, so none is changed itself.
func (s *State) changeLease(id string, change func(source.Lease) source.Lease) {
	delete(s.Renewals, id)
	values := []*Value{&s.Value}
	if s.Waiting != nil {
		values = append(values, &s.Waiting.Value)
	}
	for _, value := range values {
		if value.Lease != nil && value.Lease.ID == id {
			changed := change(*value.Lease)
			value.Lease, value.ExpireTime = &changed, changed.End()
		}
	}
}
