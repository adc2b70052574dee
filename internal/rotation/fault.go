package rotation

import (
	"time"

	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// wastedInterval is the longest wait for another read where each has the source make what cannot be used: it is made at the registry or the
// cloud and taken away again, and only a person changes that.
const wastedInterval = 30 * time.Minute

// NoteFault notes that the source gave nothing usable. What is in use and what waits stays.
func (s *State) NoteFault(spec *Spec, fault *source.Error, began time.Time) {
	s.countWasted(spec, fault)
	s.noteAsked(spec, began)
	s.Reads.Failures++
	s.Reads.Fault = fault
}

// afterFault is when the source is read again that gave nothing usable.
func (s *State) afterFault(spec *Spec) time.Time {
	r := &s.Reads
	if !r.Fault.Stalled {
		return schedule.AfterFailure(r.Last, r.Failures, r.Fault.RetryAfter, spec.Random)
	}
	return r.Last.Add(max(s.stalledWait(spec), r.Fault.RetryAfter))
}

// countWasted counts a read for which the source made something of no use. What another spec makes is another matter.
func (s *State) countWasted(spec *Spec, fault *source.Error) {
	if s.Reads.SpecHash != spec.SpecHash {
		s.Reads.Wasted = 0
	}
	if fault.Wasted && fault.Stalled {
		s.Reads.Wasted++
	}
}

// stalledWait is how long after a read the source is read again where a person has to correct something. With each read for which the source made
// something of no use it doubles, up to wastedInterval.
func (s *State) stalledWait(spec *Spec) time.Duration {
	wait := schedule.AfterStall(s.Reads.Last, spec.Refresh, 0, spec.Random).Sub(s.Reads.Last)
	for more := s.Reads.Wasted; more > 1 && wait < wastedInterval; more-- {
		wait *= 2
	}
	return min(wait, wastedInterval)
}
