package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// Also by a process that just started: it leaves alone what an earlier one had made, unless that was for another source or another spec.
func TestWhenAndWhyTheSourceIsRead(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script)
		want   Cause
		after  time.Duration
	}{
		{"nothing happened", func(*script) {}, CausePlan, refresh},
		{"a person asks for it", func(s *script) { s.spec.RefreshRequest = "now" }, CauseRequest, 0},
		{"the request was removed", func(s *script) { s.state.Reads.Request = "earlier" }, CausePlan, refresh},
		{"the spec changed", func(s *script) { s.spec.SpecHash = "other" }, CauseSpec, 0},
		{"the connection changed", func(s *script) { s.state.Reads.WokenTime = s.now.Add(time.Second) }, CauseSpec, 0},
		{"the source tells of something", func(s *script) { s.state.Reads.ToldTime = s.now.Add(time.Second) }, CauseTold, time.Second},
		{"it tells of something at once after a read", func(s *script) { s.state.Reads.ToldTime = s.now.Add(time.Millisecond) }, CauseTold, toldInterval},
		{"it told before the last read", func(s *script) { s.state.Reads.ToldTime = s.now.Add(-time.Millisecond) }, CausePlan, refresh},
		{"it tells of a time after the next read", func(s *script) { s.state.Reads.ToldTime = s.now.Add(2 * refresh) }, CausePlan, refresh},
		{"it tells of a value that each read makes", func(s *script) {
			s.state.Reads.Minted, s.state.Reads.Expire = true, s.now.Add(3*time.Hour)
			s.state.Reads.ToldTime = s.now.Add(time.Second)
		}, CausePlan, 2 * time.Hour},
		{"the source could not be read, and tells of something", func(s *script) {
			s.state.Reads.Fault, s.state.Reads.Failures = &source.Error{Reason: v1alpha1.ReasonSecretNotFound, Stalled: true}, 1
			s.state.Reads.ToldTime = s.now.Add(time.Second)
		}, CauseTold, time.Second},
		{"a person asks for it, and the source tells, too", func(s *script) {
			s.spec.RefreshRequest, s.state.Reads.ToldTime = "now", s.now.Add(time.Second)
		}, CauseRequest, 0},
		{"the value in use is refused since", func(s *script) { s.say(1, Rejected, time.Second) }, CauseRefused, refusedInterval},
		{"it was refused when the source was read already", func(s *script) { s.say(1, Rejected, -time.Second) }, CausePlan, refresh},
		{"so, and it was minted because the one before was refused", func(s *script) {
			s.say(1, Rejected, time.Second)
			s.state.Fruitless, s.state.Reads.Minted, s.state.Reads.Expire = 2, true, s.now.Add(lifetime)
		}, CausePlan, 2 * verifyPeriod},
		{"it is refused, and nobody asks that any more", func(s *script) {
			s.say(1, Rejected, time.Second)
			s.spec.Mode = v1alpha1.VerifyDisabled
		}, CausePlan, refresh},
		{"the value that waits was read by another process", func(s *script) {
			s.state.Waiting = &Waiting{Value: Value{Digest: "other"}}
		}, CausePlan, refusedInterval},
		{"this process is new", func(s *script) { s.state.Reads = Reads{} }, CauseSpec, 0},
		{"this process is new, and the value is minted", func(s *script) {
			s.state.Reads, s.state.Minted = Reads{}, true
			s.state.Value.ReadTime, s.state.ExpireTime = s.now, s.now.Add(3*time.Hour)
		}, CausePlan, 2 * time.Hour},
		{"this process is new, and the minted value is refused", func(s *script) { s.obtained(0) }, CausePlan, 20 * time.Second},
		{"so, and another one was minted since, whose content is lost", func(s *script) {
			s.obtained(0)
			s.state.ReadTime, s.state.Waiting = s.now.Add(-time.Hour), &Waiting{Value: Value{SpecHash: s.spec.SpecHash, Minted: true, ReadTime: s.now.Add(-15 * time.Second)}}
		}, CausePlan, 15 * time.Second},
		{"so, and it is the fourth that is refused", func(s *script) {
			s.obtained(4)
			waiting := s.value(2)
			waiting.Config, waiting.ReadTime = nil, s.now
			s.state.Waiting = &Waiting{Value: waiting}
			s.say(2, Rejected, -time.Second)
		}, CausePlan, 8 * verifyPeriod},
		{"so, and the value in use is the fourth", func(s *script) {
			s.obtained(4)
			s.state.ReadTime = s.now
		}, CausePlan, 8 * verifyPeriod},
		{"this process is new, and the value was minted for another spec", func(s *script) {
			s.state.Reads, s.state.Minted, s.state.Value.SpecHash = Reads{}, true, "other"
		}, CauseSpec, 0},
		{"this process is new, and what waits was minted for another spec", func(s *script) {
			waiting := s.value(2)
			waiting.SpecHash, waiting.Minted = "other", true
			s.state.Reads, s.state.Waiting = Reads{}, &Waiting{Value: waiting, FirstSeen: s.now}
		}, CauseSpec, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.spec.asked = nil
			s.state.Reads.Last, s.state.Reads.ReadTime, s.state.Reads.Unplanned = s.now, s.now, false
			test.change(s)
			at, cause := s.state.readAt(&s.spec)
			if cause != test.want {
				t.Errorf("the cause is %s, want %s", cause, test.want)
			}
			if got := max(at.Sub(s.now), 0); got != test.after {
				t.Errorf("it is read after %s, want %s", got, test.after)
			}
		})
	}
}

// obtained has another process obtain a minted value ten seconds ago, which is refused since.
func (s *script) obtained(fruitless int) {
	s.state.Reads, s.state.Minted, s.state.Fruitless = Reads{}, true, fruitless
	s.state.ReadTime, s.state.ExpireTime = s.now.Add(-10*time.Second), s.now.Add(lifetime)
	s.say(1, Rejected, -5*time.Second)
}

func TestAReadThatSaysNothingNewChangesNothingThatIsKept(t *testing.T) {
	s := begin(t)
	before := s.state.Clone()
	s.now = s.now.Add(refresh)
	s.state.NoteRead(&s.spec, s.value(1), nil, CausePlan, s.now, s.now)
	if !s.state.Value.ReadTime.Equal(before.Value.ReadTime) {
		t.Error("the record would be written at each read")
	}
	s.state.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
	first := s.state.Waiting.ReadTime
	s.now = s.now.Add(refresh)
	s.state.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
	if !s.state.Waiting.ReadTime.Equal(first) {
		t.Error("the record would be written at each read of a value that waits")
	}
	s.state.NoteRead(&s.spec, s.value(1), nil, CauseRequest, s.now, s.now)
	if s.state.Waiting != nil {
		t.Error("the source gives the value in use, and another one waits")
	}
}

func TestANewVersionOfTheSameContentKeepsWhenItWasPublishedAndProven(t *testing.T) {
	s := begin(t)
	before := s.state.Value
	again := s.value(1)
	again.Version, again.CreatedTime, again.Revision = 7, s.now, "v7"
	s.state.NoteRead(&s.spec, again, nil, CausePlan, s.now, s.now)
	got := s.state.Value
	if got.Revision != "v7" || !got.ChangeTime.Equal(before.ChangeTime) || !got.VerifiedTime.Equal(before.VerifiedTime) || got.Proof != before.Proof {
		t.Errorf("the value in use is %+v", got)
	}
	s.now = s.now.Add(time.Hour)
	s.state.NoteVerdict(&s.spec, s.now)
	if !s.state.VerifiedTime.Equal(before.VerifiedTime) {
		t.Error("the time of the first proof moved")
	}
}

func TestAnAnswerOlderThanTheOneThatWaitsIsNoCandidate(t *testing.T) {
	s := begin(t)
	s.state.NoteRead(&s.spec, s.value(3), nil, CausePlan, s.now, s.now)
	s.state.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
	if versionOf(&s.state.Waiting.Value) != 3 || s.state.Older == nil {
		t.Fatalf("waiting is %+v", s.state.Waiting)
	}
	s.now = s.now.Add(olderTime)
	for range olderReads { // another older one counts from its own beginning
		s.state.NoteRead(&s.spec, older1(s), nil, CausePlan, s.now, s.now)
	}
	if versionOf(&s.state.Waiting.Value) != 3 {
		t.Error("two older answers were counted together")
	}
}

func TestAnotherContentOfTheVersionThatWaitsIsOlderIfItWasWrittenEarlier(t *testing.T) {
	s := begin(t)
	s.state.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
	earlier := older1(s)
	earlier.CreatedTime = earlier.CreatedTime.Add(-time.Second)
	s.state.NoteRead(&s.spec, earlier, nil, CausePlan, s.now, s.now)
	if s.state.Waiting.Digest == "edited" || s.state.Older == nil {
		t.Errorf("waiting is %+v", s.state.Waiting)
	}
}

// older1 is an older answer that differs from version 2.
func older1(s *script) Value {
	v := s.value(2)
	v.Digest, v.Revision = "edited", "edited"
	return v
}

func TestAFaultLeavesWhatIsInUse(t *testing.T) {
	s := begin(t)
	for i, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		s.state.NoteFault(&s.spec, source.Transient("Unavailable", "down", nil), s.now)
		if at, _ := s.state.readAt(&s.spec); at.Sub(s.now) != want {
			t.Errorf("after %d failures it is read after %s, want %s", i+1, at.Sub(s.now), want)
		}
	}
	s.inUse(1)
}

func TestHowOldASharedAnswerMayBe(t *testing.T) {
	s := begin(t)
	s.state.Reads.Last, s.state.Reads.ReadTime = s.now, s.now
	for _, test := range []struct {
		name  string
		after time.Duration
		cause Cause
		want  time.Duration
	}{
		{"newer than the one that it has", 10 * time.Second, CauseSpec, 10 * time.Second},
		{"three fifths of a period at most", 55 * time.Second, CauseSpec, refresh * 3 / 5},
		{"since it was due", refresh + 50*time.Second, CausePlan, 50 * time.Second},
		{"a person gets one of his own", 55 * time.Second, CauseRequest, 0},
		{"so does one whose value is refused", 55 * time.Second, CauseRefused, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.state.Reads.Unplanned = false
			if got := s.state.MaxAge(&s.spec, test.cause, s.now.Add(test.after)); got != test.want {
				t.Errorf("it may be %s old, want %s", got, test.want)
			}
		})
	}
}

// A person who asks for a read wants an answer: a Vault that is sealed gives none.
func TestARequestWhoseReadFailsIsNotAnsweredAndIsTriedAgain(t *testing.T) {
	s := lagging(t)
	s.sourceFails = true
	s.spec.RefreshRequest = "now"
	before := s.steps
	s.after(time.Second)
	if s.state.Reads.Request == "now" || s.steps != before+1 {
		t.Fatalf("the request counts as answered: %t, after %d steps", s.state.Reads.Request == "now", s.steps-before)
	}
	if at, cause := s.state.readAt(&s.spec); cause != CauseRequest || at.Sub(s.state.Reads.Last) != schedule.FirstBackoff {
		t.Errorf("it is tried again after %s because of %s", at.Sub(s.state.Reads.Last), cause)
	}
	s.after(time.Hour)
	if tries := s.steps - before; tries > 60 {
		t.Errorf("the source was asked %d times in an hour", tries)
	}
	s.sourceFails = false
	s.after(3 * time.Minute)
	s.inUse(2) // an older answer is true because a person asked
	if s.state.Reads.Request != "now" {
		t.Error("the request is not answered")
	}
	s.spec.RefreshRequest = "later"
	s.sourceFails = true
	s.after(time.Second)
	s.spec.RefreshRequest = "later still" // it is not held up by the one before
	if at, _ := s.state.readAt(&s.spec); at.After(s.now) {
		t.Errorf("another request waits for %s", at.Sub(s.now))
	}
}
