package rotation

import (
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// Reads is what the process remembers of reading the source.
type Reads struct {
	// Last is when the source was last asked, zero where this process did not ask yet. ReadTime is when the source was asked for the
	// latest value: before Last where an answer was shared.
	Last, ReadTime time.Time
	// Expire, Rotate and Minted are those of the latest value. Unplanned says that it was not read because it was time.
	Expire, Rotate time.Time
	Minted         bool
	Unplanned      bool
	// Failures counts those in a row, Fault is the last of them, nil where the last read succeeded.
	Failures int
	Fault    *source.Error
	// Wasted counts those in a row for which the source made a credential that is of no use.
	Wasted int
	// Missed is the rotation that the source announced and that had not come when it was read after it, zero where none is missed.
	Missed time.Time
	// SpecHash is what the last read was made for. Request is the last request for which the source gave a value, Tried the last one
	// for which it was asked, and RequestTime when it gave that value: a login that a registry refused before is tested again for it.
	SpecHash, Request, Tried string
	RequestTime              time.Time
	// WokenTime is when the connection to the source last changed.
	WokenTime time.Time
	// ToldTime is from when on an answer is wanted, because the source told that something was written there, or because it may have been
	// and that was missed. ToldState is the source's own name for the state that has it.
	ToldTime  time.Time
	ToldState string
	// ToldPaid is until when the reads that were made because the source told of something are paid for: each costs toldPeriod.
	ToldPaid time.Time
	// Findings of the last read that succeeded.
	Findings []dockerconfig.Finding
}

// refusedInterval is the least time between two reads because the registry refuses the value in use.
const refusedInterval = 30 * time.Second

// Cause says why the source is read.
type Cause string

const (
	// CausePlan: it is time.
	CausePlan Cause = "Plan"
	// CauseRequest: a person asked for it.
	CauseRequest Cause = "Request"
	// CauseSpec: the spec, the connection or the process changed.
	CauseSpec Cause = "Spec"
	// CauseTold: the source told that something was written.
	CauseTold Cause = "Told"
	// CauseRefused: the registry refuses the value in use.
	CauseRefused Cause = "Refused"
)

// readAt is when the source is read next, and why. A request that was tried and failed is tried again as any read that fails.
func (s *State) readAt(spec *Spec) (time.Time, Cause) {
	at, cause := s.unaskedRead(spec)
	if !s.Reads.requested(spec) {
		return at, cause
	}
	if spec.RefreshRequest != s.Reads.Tried {
		at = time.Time{}
	}
	return at, CauseRequest
}

// unaskedRead is when the source is read next where nobody asks for it.
func (s *State) unaskedRead(spec *Spec) (time.Time, Cause) {
	r := &s.Reads
	switch {
	case r.SpecHash != spec.SpecHash && (!r.Last.IsZero() || !s.keepsMinted(spec)):
		return time.Time{}, CauseSpec
	case r.WokenTime.After(r.Last):
		return time.Time{}, CauseSpec
	}
	at, cause := s.plannedRead(spec), CausePlan
	if told, wanted := s.toldRead(); wanted && told.Before(at) {
		at, cause = told, CauseTold
	}
	last := s.lastRead(spec)
	if refused := latest(s.refusedSince(spec), s.restoredTime()); refused.After(last) {
		if soon := last.Add(s.refusedWait(spec)); soon.Before(at) {
			at, cause = soon, CauseRefused
		}
	}
	return at, cause
}

// restoredTime is when regcred went back from the value that waits, zero where it did not: the source may have another one by now.
func (s *State) restoredTime() time.Time {
	if s.Waiting == nil || s.Waiting.Digest != s.RestoredOver {
		return time.Time{}
	}
	return s.Waiting.FirstSeen
}

// requested reports whether a person's request for a read is not answered.
func (r *Reads) requested(spec *Spec) bool {
	return spec.RefreshRequest != "" && spec.RefreshRequest != r.Request
}

func (s *State) plannedRead(spec *Spec) time.Time {
	r := &s.Reads
	switch {
	case r.Last.IsZero():
		return s.firstRead(spec)
	case r.Fault != nil:
		return s.afterFault(spec)
	}
	last := schedule.LastRead{Time: r.ReadTime, Expire: r.Expire, Minted: r.Minted, Rotate: r.Rotate, Unplanned: r.Unplanned}
	next := s.dueRead(spec, last)
	if !r.Missed.IsZero() {
		next = earliest(next, schedule.Overdue(r.Missed, r.Last, spec.Random))
	}
	if s.Older != nil && s.Older.Reads == 1 {
		next = earliest(next, r.Last.Add(schedule.MinPeriod))
	} else if s.Older != nil {
		next = earliest(next, r.Last.Add(min(spec.Refresh, olderInterval)))
	}
	if s.Waiting != nil && s.Waiting.Config == nil { // another process read it: this one lacks its content
		next = earliest(next, r.Last.Add(refusedInterval))
	}
	if r.Minted && s.latestIsRefused(spec) { // it is of no use until its end: another one may be
		next = earliest(next, r.Last.Add(s.fruitlessWait(spec)))
	}
	return latest(next, r.Last.Add(schedule.MinPeriod)) // a shared answer may be old: the next read is never at once
}

// latest is the value that the source gave last: the one that waits, or else the one in use.
func (s *State) latest() *Value {
	if s.Waiting != nil {
		return &s.Waiting.Value
	}
	return &s.Value
}

// latestIsRefused reports whether a registry refuses the value that the source gave last.
func (s *State) latestIsRefused(spec *Spec) bool {
	verdict, _ := s.Of(spec, s.latest())
	return verdict == Rejected
}

// refusedSince is since when a registry refuses the value in use, zero where none does.
func (s *State) refusedSince(spec *Spec) time.Time {
	if !s.Published() || !spec.verifies() {
		return time.Time{}
	}
	var since time.Time
	for _, account := range s.Accounts {
		if test := s.test(spec, account); test.Verdict == Rejected {
			since = latest(since, test.Since)
		}
	}
	return since
}

// Insists reports whether a read must come from the source itself, and not from another object's answer or from a standby that lags.
func (s *State) Insists(cause Cause) bool {
	return cause == CauseRequest || cause == CauseRefused || s.Older != nil
}

// MaxAge is how old an answer may be that another object with the same place got already. It is newer than the one that this object
// has, and not older than schedule.Shared, or than when the read was due: a busy operator comes late to some of those that are due
// together. Somebody who asks for a read gets one of his own.
func (s *State) MaxAge(spec *Spec, cause Cause, now time.Time) time.Duration {
	r := &s.Reads
	if s.Insists(cause) {
		return 0
	}
	if cause == CauseTold { // what another object read since
		return max(now.Sub(r.ToldTime), 0)
	}
	longest := schedule.Shared(spec.Refresh)
	if r.ReadTime.IsZero() {
		return longest
	}
	return max(min(max(longest, now.Sub(s.plannedRead(spec))), now.Sub(r.ReadTime)), 0)
}

// NoteRead notes a value that the source gave. began is when the source was asked.
func (s *State) NoteRead(spec *Spec, value Value, findings []dockerconfig.Finding, cause Cause, began, now time.Time) {
	// An answer that another object got already has a rhythm of its own, which this one falls in with.
	shared := value.ReadTime.Before(began)
	s.noteAsked(spec, began)
	r := &s.Reads
	if r.requested(spec) {
		r.Request, r.RequestTime = spec.RefreshRequest, now
		if value.Minted {
			s.Answered = r.Request
		}
	}
	r.Missed = s.missedRotation(&value)
	r.Failures, r.Fault, r.Wasted, r.Findings = 0, nil, 0, findings
	r.ReadTime, r.Expire, r.Rotate, r.Minted = value.ReadTime, value.ExpireTime, value.RotateTime, value.Minted
	r.Unplanned = cause != CausePlan && !shared
	held := append(s.held(), value.Lease)
	s.countFruitless(spec, &value)
	s.take(spec, value, cause, now)
	s.discardLost(held, now)
}

// take decides what a value is that the source gave: the one in use, the one that waits, a new one, or an older answer.
func (s *State) take(spec *Spec, value Value, cause Cause, now time.Time) {
	found := s.orderOf(&value)
	if found != newer && cause != CauseRequest && !s.believes(value, found, now) {
		return
	}
	if found != older {
		s.follow(&value)
	}
	s.Older = nil
	switch {
	case s.Published() && s.Digest == value.Digest:
		s.Waiting = nil
		s.refresh(value)
	case s.Waiting != nil && s.Waiting.Digest == value.Digest:
		value.ReadTime = s.Waiting.ReadTime // else each read would have the record written
		s.Waiting.Value = value
	default:
		s.Waiting = &Waiting{Value: value, FirstSeen: now, HeldSince: s.heldSince(spec, &value)}
	}
}

// heldSince is since when values are held of which a minted one takes the place, zero where it does not: one that was refused was not held.
func (s *State) heldSince(spec *Spec, value *Value) time.Time {
	before := s.Waiting
	if before == nil || !before.Minted || !value.Minted || before.SpecHash != value.SpecHash || s.latestIsRefused(spec) {
		return time.Time{}
	}
	return before.Since()
}

func (s *State) noteAsked(spec *Spec, began time.Time) {
	if told, wanted := s.toldRead(); wanted && !told.After(began) {
		s.Reads.ToldPaid = latest(s.Reads.ToldPaid, began).Add(toldPeriod)
	}
	r := &s.Reads
	if r.SpecHash != spec.SpecHash { // the latest value is that of another spec
		r.Expire, r.Rotate, r.Minted, r.Unplanned = time.Time{}, time.Time{}, false, false
	}
	r.Last, r.SpecHash, r.Tried = began, spec.SpecHash, spec.RefreshRequest
}

// refresh takes over what the source now says of the value in use. A read that says nothing new changes nothing that is kept.
func (s *State) refresh(value Value) {
	sameLease := value.Lease == nil && s.Lease == nil || value.Lease != nil && s.Lease != nil && value.Lease.ID == s.Lease.ID
	same := s.Revision == value.Revision && s.Value.SpecHash == value.SpecHash && s.Version == value.Version &&
		s.CreatedTime.Equal(value.CreatedTime) && s.ExpireTime.Equal(value.ExpireTime) && s.Minted == value.Minted && sameLease
	if same {
		return
	}
	value.Use = s.Use
	s.Value = value
}
