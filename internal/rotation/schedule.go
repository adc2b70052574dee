package rotation

import "time"

// Schedule is when things were done and are done next. Zero times are not known, or not planned.
type Schedule struct {
	LastRead, NextRead, LastAsked, NextAsked time.Time
	// Changed is when the value in use was published.
	Changed time.Time
}

// Schedule says when the source was read and a registry was asked, and when that is due again.
func (s *State) Schedule(spec *Spec, now time.Time) Schedule {
	all := Schedule{LastRead: s.Reads.Last, Changed: s.ChangeTime}
	for _, test := range s.Tests {
		all.LastAsked = latest(all.LastAsked, test.Attempt)
	}
	if spec.Suspended {
		return all
	}
	at, _ := s.readAt(spec)
	if !at.Equal(never) {
		all.NextRead = latest(at, now)
	}
	if tests := s.tests(spec, now); len(tests) > 0 {
		all.NextAsked = latest(tests[0].at, now)
	}
	return all
}
