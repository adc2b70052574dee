package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// TestWhatTheNextReadDependsOn has the source read a moment ago, every minute, and version 1 in use and accepted.
func TestWhatTheNextReadDependsOn(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script)
		want   Cause
		after  time.Duration
	}{
		{"the connection changed in the moment of the read", func(s *script) { s.state.Reads.WokenTime = s.now }, CausePlan, refresh},
		{"the source told of something in that moment", func(s *script) { s.state.Reads.ToldTime = s.now }, CausePlan, refresh},
		{"the source tells of the time of the next read", func(s *script) { s.state.Reads.ToldTime = s.now.Add(refresh) }, CausePlan, refresh},
		{"the value in use is refused since that moment", func(s *script) { s.say(1, Rejected, 0) }, CausePlan, refresh},
		{"it is refused since, and would be read sooner", func(s *script) {
			s.say(1, Rejected, time.Second)
			s.spec.Refresh = refusedInterval - time.Second
		}, CausePlan, refusedInterval - time.Second},
		{"it is refused since, and would be read at the same time", func(s *script) {
			s.say(1, Rejected, time.Second)
			s.spec.Refresh = refusedInterval
		}, CausePlan, refusedInterval},
		{"another value was seen since the read began", func(s *script) {
			s.waits(2)
			s.state.Waiting.FirstSeen = s.now.Add(time.Second)
		}, CausePlan, refresh},
		{"regcred went back from it since", func(s *script) {
			s.waits(2)
			s.state.Waiting.FirstSeen, s.state.RestoredOver = s.now.Add(time.Second), s.state.Waiting.Digest
		}, CauseRefused, refusedInterval},
		{"the spec is again that for which the value in use was made", func(s *script) {
			s.state.Minted, s.state.Reads.SpecHash = true, "other"
		}, CauseSpec, 0},
		{"the read was not planned: as many others were not", func(s *script) {
			s.state.Reads.Unplanned, s.spec.Random = true, 0.5
		}, CausePlan, refresh * 4 / 5},
		{"the answer was another object's, and is old", func(s *script) { s.state.Reads.ReadTime = s.now.Add(-2 * refresh) }, CausePlan, schedule.MinPeriod},
		{"an older answer was given once", func(s *script) { s.state.Older = &Older{Reads: 1} }, CausePlan, schedule.MinPeriod},
		{"an older answer was given twice", func(s *script) { s.state.Older = &Older{Reads: 2} }, CausePlan, refresh},
		{"so, and the source is read once an hour", func(s *script) {
			s.state.Older, s.spec.Refresh = &Older{Reads: 2}, time.Hour
		}, CausePlan, olderInterval},
		{"the source could not be read, and the value that it made an hour ago is refused since then", func(s *script) {
			s.state.Minted, s.state.Value.ReadTime, s.state.ExpireTime = true, s.now.Add(-time.Hour), s.now.Add(lifetime)
			s.say(1, Rejected, -5*time.Second)
			s.state.NoteFault(&s.spec, source.Transient("Unavailable", "down", nil), s.now)
		}, CausePlan, schedule.FirstBackoff},
		{"the source could not be read, and tells of what it made", func(s *script) {
			s.state.Reads.Minted, s.state.Reads.Expire = true, s.now.Add(lifetime)
			s.state.NoteFault(&s.spec, source.Transient("Unavailable", "down", nil), s.now)
			s.state.Reads.ToldTime = s.now.Add(time.Second)
		}, CausePlan, schedule.FirstBackoff},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.spec.asked = nil
			s.state.Reads.Last, s.state.Reads.ReadTime, s.state.Reads.Unplanned = s.now, s.now, false
			test.change(s)
			at, cause := s.state.readAt(&s.spec)
			if got := max(at.Sub(s.now), 0); cause != test.want || got != test.after {
				t.Errorf("it is read after %s because of %s, want %s and %s", got, cause, test.after, test.want)
			}
		})
	}
}

func TestWhichReadsWereNotPlanned(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause Cause
		age   time.Duration // of the answer, when it was asked for
		want  bool
	}{
		{"one for which it was time", CausePlan, 0, false},
		{"one because something changed", CauseSpec, 0, true},
		{"so, with an answer that another object got: it has a rhythm already", CauseSpec, 1, false},
		{"one for which it was time, with such an answer", CausePlan, 1, false},
	} {
		spec, s := asking()
		value := s.Value
		value.ReadTime = minute(1).Add(-test.age)
		if s.NoteRead(spec, value, nil, test.cause, minute(1), minute(2)); s.Reads.Unplanned != test.want {
			t.Errorf("%s: %t", test.name, s.Reads.Unplanned)
		}
	}
}

// What is written again and again in the source is read ever more slowly. Reads that are made anyway are no part of that.
func TestWhichReadsAreMadeForNews(t *testing.T) {
	for _, test := range []struct {
		name string
		told time.Time
		want time.Time
	}{
		{"one in the moment of which it told", minute(1), minute(1).Add(toldPeriod)},
		{"one after that", minute(1).Add(-time.Second), minute(1).Add(toldPeriod)},
		{"not one before that", minute(1).Add(1), time.Time{}},
		{"not one where it told of nothing", time.Time{}, time.Time{}},
	} {
		spec, s := asking()
		s.Reads = Reads{Last: start, ReadTime: start, SpecHash: spec.SpecHash, ToldTime: test.told}
		if s.NoteRead(spec, s.Value, nil, CausePlan, minute(1), minute(1)); !s.Reads.ToldPaid.Equal(test.want) {
			t.Errorf("%s: paid until %s, want %s", test.name, s.Reads.ToldPaid, test.want)
		}
	}
}

func TestWhatIsKnownOfTheLatestValueStaysWhereItsSourceFails(t *testing.T) {
	spec, s := leased(*heldLease("a"))
	s.NoteFault(spec, source.Transient("Unavailable", "down", nil), minute(1))
	if !s.Reads.Minted || s.Reads.Expire.IsZero() {
		t.Errorf("it counts as one that each read gives again: %+v", s.Reads)
	}
	spec.SpecHash = "other"
	s.NoteFault(spec, source.Transient("Unavailable", "down", nil), minute(2))
	if s.Reads.Minted || !s.Reads.Expire.IsZero() {
		t.Errorf("it counts as one of the new spec: %+v", s.Reads)
	}
}

// A change of the connection is answered by the read after it, also where that fails or is another object's: else the source is asked without an end.
func TestAChangeOfTheConnectionHasTheSourceReadOnce(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault *source.Error
		woken time.Time
		want  Cause
	}{
		{"it changed since", nil, minute(3), CauseSpec},
		{"the read after it was another object's", nil, minute(1), CausePlan},
		{"the read after it failed", &source.Error{Reason: "Unavailable"}, minute(1), CausePlan},
	} {
		spec, s := asking()
		spec.Refresh = time.Hour
		s.Reads = Reads{SpecHash: spec.SpecHash, Last: minute(2), ReadTime: start, WokenTime: test.woken, Fault: test.fault}
		if at, cause := s.unaskedRead(spec); cause != test.want || cause == CausePlan && !at.After(minute(2)) {
			t.Errorf("%s: it is read by %s at %s", test.name, cause, at)
		}
	}
}

// A login that was refused while the source was asked is tested again for whoever asked for the read.
func TestARequestIsAnsweredWhenItsValueIsThere(t *testing.T) {
	spec, s := asking()
	spec.RefreshRequest = "again"
	value := s.Value
	value.ReadTime = minute(1)
	if s.NoteRead(spec, value, nil, CauseRequest, minute(1), minute(2)); s.Reads.Request != "again" || !s.Reads.RequestTime.Equal(minute(2)) {
		t.Errorf("%q is answered at %s", s.Reads.Request, s.Reads.RequestTime)
	}
}
