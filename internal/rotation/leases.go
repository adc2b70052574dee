package rotation

import (
	"slices"
	"time"

	"regcred.dev/regcred/internal/source"
)

const (
	// ReleaseAfter is how long at most the lease of a replaced value is kept: for a namespace that cannot be served, or while no registry accepts the
	// value in use.
	ReleaseAfter = time.Hour
	// ReleaseGivenUp is how long after its value was replaced a lease is given up that could not be given back: it ends at its own time. It
	// is longer than PreviousKept, so that a value is not said to have ended because its lease was given up.
	ReleaseGivenUp = 2 * PreviousKept
	// releaseInterval is the longest wait between two attempts to give one lease back.
	releaseInterval = 10 * time.Minute
	// maxObsolete is how many leases of replaced values are kept at most.
	maxObsolete = 16
)

// Attempts are those in a row that could not give one lease back.
type Attempts struct {
	Count int
	// Last is when the last of them was made, Told how long the source asked to wait then.
	Last time.Time
	Told time.Duration
}

// discard notes a lease that is to be given back. Of too many the oldest are given up: they end at their own time.
func (s *State) discard(lease *source.Lease, now time.Time) {
	if lease == nil || slices.ContainsFunc(s.Obsolete, func(l Lease) bool { return l.ID == lease.ID }) {
		return
	}
	s.Obsolete = append(slices.Clone(s.Obsolete), Lease{Lease: *lease, Since: now})
	if more := len(s.Obsolete) - maxObsolete; more > 0 {
		s.Obsolete = s.Obsolete[more:]
	}
}

// NoteReleased notes that a lease was given back, or given up.
func (s *State) NoteReleased(id string) {
	s.Obsolete = slices.DeleteFunc(slices.Clone(s.Obsolete), func(l Lease) bool { return l.ID == id })
	s.forgetAttempts()
}

// NoteReleaseFailed notes that a lease could not be given back, and reports how often that was so in a row.
func (s *State) NoteReleaseFailed(id string, now time.Time) int {
	tried := Attempts{Count: s.Releases[id].Count + 1, Last: now}
	releases := map[string]Attempts{id: tried}
	for other, attempts := range s.Releases {
		if other != id {
			releases[other] = attempts
		}
	}
	s.Releases = releases
	s.forgetAttempts()
	return tried.Count
}

// forgetAttempts drops the attempts for leases that are not to be given back any more.
func (s *State) forgetAttempts() {
	for id := range s.Releases {
		if !slices.ContainsFunc(s.Obsolete, func(l Lease) bool { return l.ID == id }) {
			delete(s.Releases, id)
		}
	}
}

// held are the leases of the values that are in use, wait or are an older answer.
func (s *State) held() []*source.Lease {
	held := []*source.Lease{s.Lease}
	if s.Waiting != nil {
		held = append(held, s.Waiting.Lease)
	}
	if s.Older != nil {
		held = append(held, s.Older.Lease)
	}
	return held
}

// Leases are all that are known, whether they are held or to be given back.
func (s *State) Leases() []source.Lease {
	var all []source.Lease
	for _, lease := range s.held() {
		if lease != nil {
			all = append(all, *lease)
		}
	}
	for _, lease := range s.Obsolete {
		all = append(all, lease.Lease)
	}
	return all
}

// Discard notes leases of values that are none of this state, and that are to be given back.
func (s *State) Discard(leases []source.Lease, now time.Time) {
	var lost []*source.Lease
	for i := range leases {
		lost = append(lost, &leases[i])
	}
	s.discardLost(lost, now)
}

// discardLost notes each lease that was held before a change and is not any more. Whatever changes which values are known ends with
// it, so that no lease is lost; and one that is held again is not given back.
func (s *State) discardLost(before []*source.Lease, now time.Time) {
	holds := func(id string) bool {
		return slices.ContainsFunc(s.held(), func(l *source.Lease) bool { return l != nil && l.ID == id })
	}
	for _, lease := range before {
		if lease != nil && !holds(lease.ID) {
			s.discard(lease, now)
		}
	}
	if slices.ContainsFunc(s.Obsolete, func(l Lease) bool { return holds(l.ID) }) {
		s.Obsolete = slices.DeleteFunc(slices.Clone(s.Obsolete), func(l Lease) bool { return holds(l.ID) })
	}
}

// gaveBack reports whether a value has a lease that was given back, or that is not followed any more: it ends soon, even where a registry
// still takes it.
func (s *State) gaveBack(v *Value) bool { return v.Lease != nil && !s.holds(v.Lease.ID) }

// holds reports whether a lease is in use or still to be given back.
func (s *State) holds(lease string) bool {
	if s.Lease != nil && s.Lease.ID == lease {
		return true
	}
	for _, obsolete := range s.Obsolete {
		if obsolete.ID == lease {
			return true
		}
	}
	return false
}

// release is the lease that is given back next, and when. Each has attempts of its own, so that one that the source refuses to take back
// keeps no other.
func (s *State) release(spec *Spec) (*Lease, time.Time) {
	var next *Lease
	at := never
	for i := range s.Obsolete {
		if due := s.releaseAt(spec, &s.Obsolete[i]); due.Before(at) {
			next, at = &s.Obsolete[i], due
		}
	}
	return next, at
}

// releaseAt is when a lease is given back: as soon as every namespace has the value in use and its registries accept it, and not later than
// ReleaseAfter. Where one refuses it or says nothing of it, the value before may be the only one that works.
func (s *State) releaseAt(spec *Spec, lease *Lease) time.Time {
	at := lease.Since
	if verdict, _ := s.Of(spec, &s.Value); !s.Delivered || spec.verifies() && verdict != Accepted {
		at = lease.Since.Add(ReleaseAfter)
	}
	if tried := s.Releases[lease.ID]; tried.Count > 0 {
		at = latest(at, tried.Last.Add(backOff(tried.Count, releaseInterval)))
	}
	return at
}

// givesUp reports whether a lease is not tried again that could not be given back for long: a process that just started tries once.
func (s *State) givesUp(lease *Lease, now time.Time) bool {
	return s.Releases[lease.ID].Count > 0 && !now.Before(lease.Since.Add(ReleaseGivenUp))
}
