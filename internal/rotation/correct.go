package rotation

import (
	"slices"
	"time"
)

// Correct forgets what cannot be: times that lie ahead were noted by a clock that was wrong, and would stop everything until then. It
// reports whether anything that is kept was among them: that is to be written, or each look would correct it, and it would never pass.
func (s *State) Correct(now time.Time) (kept bool) {
	s.correctReads(now)
	for print, began := range s.Testing {
		s.Testing[print] = earliest(began, now)
	}
	for _, attempts := range []map[string]Attempts{s.Releases, s.Renewals} {
		for id, tried := range attempts {
			correct(now, &tried.Last)
			attempts[id] = tried
		}
	}
	if s.Older != nil {
		correct(now, &s.Older.Since)
		s.Older.correct(now)
	}
	tests, values, leases := s.correctTests(now), s.correctValues(now), s.correctLeases(now)
	return tests || values || leases
}

func (s *State) correctReads(now time.Time) {
	r := &s.Reads
	if ahead := r.ReadTime.Sub(now); ahead > 0 && r.Minted {
		r.Expire = moved(r.Expire, -ahead)
	}
	correct(now, &r.Last, &r.ReadTime, &r.WokenTime, &r.RequestTime, &s.DoubtTime)
	r.ToldTime = earliest(r.ToldTime, now.Add(maxTold)) // it may lie ahead, by as much
	r.ToldPaid = earliest(r.ToldPaid, now.Add((toldAtOnce+1)*toldPeriod))
}

// correct sets times that lie ahead to now, and reports whether any did.
func correct(now time.Time, times ...*time.Time) bool {
	corrected := false
	for _, t := range times {
		corrected = corrected || t.After(now)
		*t = earliest(*t, now)
	}
	return corrected
}

func (s *State) correctTests(now time.Time) bool {
	corrected := false
	for print, test := range s.Tests {
		ahead := correct(now, &test.Attempt, &test.Time, &test.Since)
		if longest := now.Add(maxRetryAfter); test.NotBefore.After(longest) {
			test.NotBefore, ahead = longest, true
		}
		s.Tests[print], corrected = test, corrected || ahead
	}
	return corrected
}

// correctValues does so for what is in use, what waits and what was before.
func (s *State) correctValues(now time.Time) bool {
	corrected := s.Published() && s.Value.correct(now)
	if s.Waiting != nil {
		times, value := correct(now, &s.Waiting.FirstSeen, &s.Waiting.HeldSince), s.Waiting.correct(now)
		corrected = corrected || times || value
	}
	if s.Previous != nil {
		times, value := correct(now, &s.Previous.ReplacedTime), s.Previous.correct(now)
		corrected = corrected || times || value
	}
	return corrected
}

// correct moves a value that a read made, and that seems to begin later, to now, with all that was counted from its begin. Of an end that
// the source told by its own clock that is too early, which costs a read; the other way round it would be used after its end.
func (v *Value) correct(now time.Time) bool {
	ahead := v.Begins().Sub(now)
	if !v.Minted || ahead <= 0 {
		return false
	}
	v.ReadTime, v.ExpireTime = earliest(v.ReadTime, now), moved(v.ExpireTime, -ahead)
	if v.Lease == nil {
		return true
	}
	lease := *v.Lease // states share leases
	lease.Obtained = earliest(lease.Obtained, now)
	lease.LoginEnds, lease.Limit = moved(lease.LoginEnds, -ahead), moved(lease.Limit, -ahead)
	v.Lease, v.ExpireTime = &lease, lease.End()
	return true
}

// moved is a time that is known, moved.
func moved(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Add(by)
}

// correctLeases does so for the leases that are to be given back. Those that have ended need not be, but by a clock that is wrong one can
// seem so: each is tried once.
func (s *State) correctLeases(now time.Time) bool {
	before := s.Obsolete
	s.Obsolete = slices.Clone(before)
	corrected := false
	for i := range s.Obsolete {
		lease := &s.Obsolete[i]
		corrected = correct(now, &lease.Since, &lease.Obtained) || corrected
	}
	s.Obsolete = slices.DeleteFunc(s.Obsolete, func(l Lease) bool {
		return now.After(l.Obtained.Add(l.Duration)) && s.Releases[l.ID].Count > 0
	})
	return corrected || len(s.Obsolete) < len(before)
}
