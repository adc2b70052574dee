package rotation

import (
	"time"

	"regcred.dev/regcred/internal/schedule"
)

// fruitlessInterval is the longest wait for another minted value because the registry refuses the one before: each is a login that fails,
// perhaps of one account, and a lease.
const fruitlessInterval = 2 * time.Hour

// lastRead is when the source was last asked: by this process, or for a minted value by the one that obtained it.
func (s *State) lastRead(spec *Spec) time.Time {
	if s.Reads.Last.IsZero() && s.keepsMinted(spec) {
		return s.latest().ReadTime
	}
	return s.Reads.Last
}

// refusedWait is how long after a read the source is read again because the registry begins to refuse the value in use.
func (s *State) refusedWait(spec *Spec) time.Duration {
	if s.Fruitless == 0 {
		return refusedInterval
	}
	return s.fruitlessWait(spec)
}

// fruitlessWait is how long after a read another value is minted because the registry refuses the one that it gave. It doubles with
// each that is refused, too, up to fruitlessInterval.
func (s *State) fruitlessWait(spec *Spec) time.Duration {
	first := max(spec.Refresh, spec.Verify)
	wait, longest := first, max(first, fruitlessInterval)
	for more := s.Fruitless; more > 1 && wait < longest; more-- {
		wait *= 2
	}
	return min(wait, longest)
}

// firstRead is when a process that just started reads where a minted value is in use: an earlier process obtained it, and it is still
// good. A process that crashes again and again has nothing minted sooner than one that runs on.
func (s *State) firstRead(spec *Spec) time.Time {
	known, wait := s.latest(), refusedInterval
	last := known.ReadTime
	next := s.dueRead(spec, schedule.LastRead{Time: known.Begins(), Expire: known.ExpireTime, Minted: true})
	if s.Waiting != nil && !s.KeepsWaiting() { // its content is lost: only another read gives one
		next = schedule.Next(schedule.LastRead{Time: s.Begins(), Expire: s.ExpireTime, Minted: true}, spec.Refresh, spec.Random)
	}
	refused := s.latestIsRefused(spec)
	if refused || !s.refusedSince(spec).IsZero() {
		next = last
	}
	switch {
	case refused && s.Waiting != nil:
		wait = s.fruitlessWait(spec)
	case refused:
		wait = s.refusedWait(spec)
	}
	return latest(next, last.Add(wait))
}

// keepsMinted reports whether the value that waits or the one in use is one that each read would create again: a restart of the operator
// asks for no other.
func (s *State) keepsMinted(spec *Spec) bool {
	waits := s.KeepsWaiting() && s.Waiting.SpecHash == spec.SpecHash
	return waits || s.Published() && s.Minted && s.Value.SpecHash == spec.SpecHash
}

// Recall completes what a process remembers by what is kept. A request of a person for which a value was minted is answered, also where
// the process ended before its status said so.
func (s *State) Recall(spec *Spec) {
	if s.Answered != "" && s.Answered == spec.RefreshRequest {
		s.Reads.Request = s.Answered
	}
}

// countFruitless counts a minted value that was read while the one before it is refused. What another spec gives is another matter.
func (s *State) countFruitless(spec *Spec, value *Value) {
	if before := s.latest(); value.Minted && before.SpecHash == value.SpecHash && s.latestIsRefused(spec) {
		s.Fruitless++
		return
	}
	s.Fruitless = 0
}
