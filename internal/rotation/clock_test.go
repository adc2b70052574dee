package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
)

func TestTimesThatLieAheadAreCorrected(t *testing.T) {
	now, ahead := start, start.Add(24*time.Hour)
	s := State{
		Kept: Kept{
			Value: Value{Config: newWorld(1).value(1).Config, Minted: true, ReadTime: ahead},
			Tests: map[string]Test{
				"attempt": {Attempt: ahead}, "answer": {Time: ahead}, "since": {Since: ahead}, "retry": {NotBefore: ahead},
				"right": {Attempt: now, NotBefore: now.Add(maxRetryAfter)},
			},
			Waiting: &Waiting{Value: Value{Minted: true, ReadTime: ahead}, FirstSeen: ahead, HeldSince: ahead}, Previous: &Previous{ReplacedTime: ahead},
			Obsolete: []Lease{{Lease: *leaseOf("lease", ahead), Since: ahead}},
		},
		Memory: Memory{
			Reads: Reads{Last: ahead, ReadTime: ahead, WokenTime: ahead, RequestTime: ahead, ToldTime: ahead}, Older: &Older{Since: ahead}, Testing: map[string]time.Time{"attempt": ahead},
			DoubtTime: ahead, Releases: map[string]Attempts{"lease": {Count: 1, Last: ahead}},
		},
	}
	s.Correct(now)
	for name, got := range map[string]time.Time{
		"the attempt of a test": s.Tests["attempt"].Attempt, "the answer of a test": s.Tests["answer"].Time, "since when it is answered": s.Tests["since"].Since,
		"the read of a minted value": s.Value.ReadTime, "when a value was first seen": s.Waiting.FirstSeen, "since when values are held": s.Waiting.HeldSince, "when a value was replaced": s.Previous.ReplacedTime,
		"the last read": s.Reads.Last, "the last answer": s.Reads.ReadTime, "when the connection changed": s.Reads.WokenTime, "when a request was answered": s.Reads.RequestTime,
		"since when an older answer is given": s.Older.Since, "a test under way": s.Testing["attempt"], "a doubt": s.DoubtTime, "the last release": s.Releases["lease"].Last,
		"the read of a minted value that waits":  s.Waiting.ReadTime,
		"since when a lease is to be given back": s.Obsolete[0].Since, "when a lease was obtained": s.Obsolete[0].Obtained,
	} {
		if !got.Equal(now) {
			t.Errorf("%s is %s", name, got.Sub(now))
		}
	}
	if !s.Reads.ToldTime.Equal(now.Add(maxTold)) {
		t.Errorf("what the source told is read after %s", s.Reads.ToldTime.Sub(now))
	}
	if !s.Tests["retry"].NotBefore.Equal(now.Add(maxRetryAfter)) {
		t.Errorf("a registry is left alone for %s", s.Tests["retry"].NotBefore.Sub(now))
	}
	if !s.Tests["right"].NotBefore.Equal(now.Add(maxRetryAfter)) {
		t.Error("a registry that asked to be left alone is asked")
	}
}

func TestWhatARestWaitsFor(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script, at time.Time)
	}{
		{"the end of the value in use", func(s *script, at time.Time) { s.state.ExpireTime = at }},
		{"the end of the value before", func(s *script, at time.Time) { s.state.Previous.ExpireTime = at }},
		{"the day for which the value before is kept", func(s *script, at time.Time) { s.state.Previous.ReplacedTime = at.Add(-PreviousKept) }},
		{"a test that counts as lost", func(s *script, at time.Time) { s.state.Testing = map[string]time.Time{"x": at.Add(-testLimit)} }},
		{"a lease that is to be given back", func(s *script, at time.Time) {
			s.state.Obsolete = []Lease{{Lease: *leaseOf("x", s.now), Since: at.Add(-ReleaseAfter)}}
		}},
		{"a lease that could not be prolonged a moment ago", func(s *script, at time.Time) {
			lease := leaseOf("x", s.now)
			lease.Renewable, lease.Term = true, lease.Duration
			s.state.Lease, s.state.Renewals = lease, map[string]Attempts{"x": {Count: 1, Last: at.Add(-schedule.FirstBackoff)}}
		}},
		{"the end of a hold", func(s *script, at time.Time) {
			waiting := s.value(3)
			s.state.Waiting = &Waiting{Value: waiting, FirstSeen: at.Add(-s.spec.Hold)}
			for _, a := range append(waiting.Accounts, s.state.Accounts...) {
				q := s.spec.Question(a)
				s.state.Tests[a.Print] = Test{Question: q, Asked: q, Attempt: s.now, Silent: 3}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.rotate(hostA)
			s.after(refresh + time.Minute)
			s.spec.Refresh, s.spec.Verify = 24*time.Hour, 24*time.Hour
			s.state.Obsolete = nil
			at := s.now.Add(7 * time.Second)
			test.change(s, at)
			if step := Next(&s.spec, &s.state, s.now); step.Do != Rest || !step.Until.Equal(at) {
				t.Errorf("it is %s until %s, want rest for 7 s", step.Do, step.Until.Sub(s.now))
			}
		})
	}
}
