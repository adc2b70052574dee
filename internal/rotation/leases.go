package rotation

import (
	"slices"
	"time"

	"regcred.dev/regcred/internal/source"
)

const (
	// ReleaseAfter is how long at most the lease of a replaced value is kept for a namespace that cannot be served.
	ReleaseAfter = time.Hour
	// maxObsolete is how many leases of replaced values are kept at most.
	maxObsolete = 16
)

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

// NoteReleased notes that a lease was given back.
func (s *State) NoteReleased(id string) {
	s.Obsolete = slices.DeleteFunc(slices.Clone(s.Obsolete), func(l Lease) bool { return l.ID == id })
	s.ReleaseFailures = 0
}

// NoteReleaseFailed notes that a lease could not be given back.
func (s *State) NoteReleaseFailed(now time.Time) {
	s.ReleaseFailures++
	s.ReleaseTime = now
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

// releaseAt is the lease that is given back next, and when: as soon as every namespace has the value in use, and not later than
// ReleaseAfter. While the value in use is refused the one before may still be needed.
func (s *State) releaseAt(spec *Spec) (*Lease, time.Time) {
	if len(s.Obsolete) == 0 {
		return nil, time.Time{}
	}
	lease := s.Obsolete[0]
	at := lease.Since
	if !s.Delivered || !s.refusedSince(spec).IsZero() {
		at = lease.Since.Add(ReleaseAfter)
	}
	if s.ReleaseFailures > 0 {
		at = latest(at, s.ReleaseTime.Add(backOff(s.ReleaseFailures, 10*time.Minute)))
	}
	return &lease, at
}
