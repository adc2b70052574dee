package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// everythingIsDue is a state in which each step could be the next.
func everythingIsDue() (*Spec, *State) {
	spec, s := asking()
	spec.Refresh = time.Hour
	s.Lease = &source.Lease{ID: "mine", Renewable: true, Term: time.Hour, Duration: time.Hour, Obtained: minute(-50)}
	s.Minted = true
	before := (&world{now: start}).value(3)
	before.SpecHash, before.ExpireTime = spec.SpecHash, minute(-1)
	s.Previous = &Previous{Value: before, ReplacedTime: minute(-30)}
	s.Obsolete, s.Delivered = []Lease{{Lease: source.Lease{ID: "old", Obtained: minute(-90), Duration: 24 * time.Hour}, Since: minute(-80)}}, true
	for _, host := range []string{hostA, hostB} {
		for version, test := range map[int]Test{
			1: {Verdict: Rejected, Since: minute(-20), Time: minute(-20)}, 2: {Verdict: Accepted, Since: start, Time: start}, 3: {Verdict: Accepted, Since: minute(-10), Time: minute(-10)},
		} {
			account := accountOf(version, host)
			test.Question, test.Asked, test.Attempt = spec.Question(account), spec.Question(account), test.Time
			s.Tests[account.Print] = test
		}
	}
	return spec, s
}

// "The order of the steps is the order of their urgency" (docs/design/rotation.md).
func TestOfAllStepsThatAreDueTheMostUrgentIsNext(t *testing.T) {
	spec, s := everythingIsDue()
	for _, step := range []struct {
		do   Do
		done func()
	}{
		{Read, func() { s.Reads = Reads{Last: start, ReadTime: start, SpecHash: spec.SpecHash, Minted: true} }},
		{Renew, func() { lease := *s.Lease; lease.Obtained = start; s.Lease = &lease }},
		{Publish, func() { s.Waiting = nil }},
		{Restore, func() { s.RestoredOver = s.Digest }},
		{DropPrevious, func() { s.DropPrevious(EndExpired) }},
		{Ask, func() {
			for print, test := range s.Tests {
				test.Attempt = minute(1)
				s.Tests[print] = test
			}
		}},
		{Release, func() { s.Obsolete = nil }},
		{Rest, func() {}},
	} {
		if got := Next(spec, s, minute(1)); got.Do != step.do {
			t.Errorf("next is %s, want %s", got.Do, step.do)
		}
		step.done()
	}
}

// "An older answer proves nothing: the password was rotated since", also where it is of the time in which the value in use worked; and what one registry
// accepts says nothing of another one.
func TestARestoreNeedsAnAnswerOfEachRegistrySinceItRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		accepted map[string]int // minutes, by registry
		want     bool
	}{
		"both accept it since":                        {map[string]int{hostA: 1, hostB: 1}, true},
		"in that very moment":                         {map[string]int{hostA: 0, hostB: 0}, true},
		"before, while the value in use was taken":    {map[string]int{hostA: -5, hostB: -5}, false},
		"one of them before":                          {map[string]int{hostA: 1, hostB: -5}, false},
		"the other one alone":                         {map[string]int{hostB: 1}, false},
		"the one that refuses the value in use alone": {map[string]int{hostA: 1}, false},
	} {
		spec := &Spec{Mode: "Pull", SpecHash: "spec", Verify: verifyPeriod}
		w := &world{now: start, two: true}
		s := &State{Kept: Kept{Value: w.value(2), Previous: &Previous{Value: w.value(1), ReplacedTime: minute(-10)}, Tests: map[string]Test{}}}
		s.Value.SpecHash, s.Previous.SpecHash, s.ChangeTime = spec.SpecHash, spec.SpecHash, minute(-10)
		note := func(version int, host string, verdict Verdict, at int) {
			account := accountOf(version, host)
			s.NoteAnswer(account, spec.Question(account), Answer{Verdict: verdict}, minute(at))
		}
		for _, host := range []string{hostA, hostB} {
			note(2, host, Accepted, -9)
			note(2, host, Rejected, 0)
			if at, said := test.accepted[host]; said {
				note(1, host, Accepted, at)
			}
		}
		if got := s.restores(spec); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A registry that refuses the value before again and again took the one in use around the last time, and not around the first.
func TestWhetherTheRefusalOfTheValueBeforeCountsIsForItsLastTimeToSay(t *testing.T) {
	spec, s := asking()
	s.Waiting = nil
	s.Previous = &Previous{Value: (&world{now: start}).value(3), ReplacedTime: start}
	s.know(spec, 3, Test{Verdict: Rejected, Since: minute(1), Time: minute(9)})
	s.know(spec, 1, Test{Verdict: Accepted, Since: minute(5), Time: minute(10)}) // at first the account was locked
	if verdict, _ := s.OfPrevious(spec); verdict != Rejected {
		t.Errorf("it is %s", verdict)
	}
}

func TestALeaseIsGivenUpForLongAfterItsValueWasReplacedAndNotAfterItWasObtained(t *testing.T) {
	s := &State{Memory: Memory{Releases: map[string]Attempts{"a": {Count: 3}}}}
	lease := Lease{Lease: source.Lease{ID: "a", Obtained: start.Add(-30 * 24 * time.Hour)}, Since: start}
	if s.givesUp(&lease, minute(60)) || !s.givesUp(&lease, start.Add(ReleaseGivenUp)) {
		t.Error("a credential that was in use for a month is left to its own end an hour after it was replaced, or tried for ever")
	}
}

// What waits can be of another place, since the spec was changed. What is in use orders the answers of its own.
func TestAnAnswerIsOlderByWhatIsInUseWhateverWaits(t *testing.T) {
	value := func(place string, version int64, created int) Value {
		v := (&world{now: start}).value(1)
		v.Place, v.Digest, v.Written = place, place+string(rune('0'+version)), Written{Version: version, CreatedTime: minute(created)}
		return v
	}
	answer := value("here", 4, 4)
	for name, waits := range map[string]*Waiting{"nothing": nil, "one of another place": {Value: value("there", 1, 1)}, "an older one": {Value: value("here", 3, 3)}} {
		s := &State{Kept: Kept{Value: value("here", 5, 5), Waiting: waits}}
		if got := s.orderOf(&answer); got != older {
			t.Errorf("%s waits: %d", name, got)
		}
	}
}

// The answer may be another object's, and old. What the source tells is not asked for more often because of that.
func TestNewsAreReadAtTheIntervalOfThisProcessesReads(t *testing.T) {
	s := &State{}
	s.Reads = Reads{Last: start, ReadTime: minute(-30), ToldTime: start}
	if at, wanted := s.toldRead(); !wanted || !at.Equal(start.Add(toldInterval)) {
		t.Errorf("wanted %t at %s", wanted, at)
	}
}

// A value has several registries: what decides is the gravest, and a proof is the weakest.
func TestWhatSeveralRegistriesSayTogether(t *testing.T) {
	for name, test := range map[string]struct {
		a, b  Test
		want  Verdict
		proof Proof
	}{
		"both let it pull":                    {Test{Verdict: Accepted, Proof: ProofPull}, Test{Verdict: Accepted, Proof: ProofPull}, Accepted, ProofPull},
		"the first one lets it log in alone":  {Test{Verdict: Accepted, Proof: ProofLogin}, Test{Verdict: Accepted, Proof: ProofPull}, Accepted, ProofLogin},
		"the second one lets it log in alone": {Test{Verdict: Accepted, Proof: ProofPull}, Test{Verdict: Accepted, Proof: ProofLogin}, Accepted, ProofLogin},
		"the first one says nothing":          {Test{}, Test{Verdict: Accepted, Proof: ProofPull}, Unknown, ProofLogin},
		"the second one says nothing":         {Test{Verdict: Accepted, Proof: ProofPull}, Test{}, Unknown, ProofLogin},
		"one refuses, the other says nothing": {Test{}, Test{Verdict: Rejected}, Rejected, ProofLogin},
		"one refuses, and the next is silent": {Test{Verdict: Rejected}, Test{}, Rejected, ProofLogin},
		"one refuses, the other lets it pull": {Test{Verdict: Accepted, Proof: ProofPull}, Test{Verdict: Rejected}, Rejected, ProofLogin},
	} {
		spec, value := &Spec{Mode: "Pull"}, (&world{now: start, two: true}).value(1)
		s := &State{Kept: Kept{Value: value, Tests: map[string]Test{}}}
		for host, said := range map[string]Test{hostA: test.a, hostB: test.b} {
			account := accountOf(1, host)
			said.Question = spec.Question(account)
			s.Tests[account.Print] = said
		}
		if verdict, _ := s.Of(spec, &s.Value); verdict != test.want || s.proofOf(spec, &s.Value) != test.proof {
			t.Errorf("%s: %s by %s", name, verdict, s.proofOf(spec, &s.Value))
		}
	}
}

// What is said beside another test ends nothing of what the registry asked for, and is no attempt of its own.
func TestAnAnswerBesideAnotherTestLeavesTheAttemptAsItIs(t *testing.T) {
	spec, s := asking()
	account := accountOf(1, hostA)
	known := Test{Verdict: Accepted, Since: minute(-9), Time: minute(-9), Attempt: minute(-9), NotBefore: minute(7)}
	s.know(spec, 1, known)
	s.NoteAside(account, spec.Question(account), Answer{Verdict: Rejected}, minute(1))
	if got := s.Tests[account.Print]; !got.NotBefore.Equal(minute(7)) || !got.Attempt.Equal(minute(-9)) || got.Verdict != Rejected || !got.Time.Equal(minute(1)) {
		t.Errorf("%+v", got)
	}
}

// With the question of before, the registry said nothing of what is asked now. It is asked as soon as it may be.
func TestTheValueBeforeIsTestedSoonWhereAnotherQuestionWasAskedOfIt(t *testing.T) {
	for question, want := range map[string]time.Duration{"": MinInterval, "another": MinInterval, "present": previousInterval} {
		spec, s := asking()
		s.Waiting, s.Delivered, spec.Verify = nil, true, time.Minute
		s.Previous = &Previous{Value: (&world{now: start}).value(3), ReplacedTime: start}
		account := accountOf(3, hostA)
		if question == "present" {
			question = spec.Question(account)
		}
		s.Tests[account.Print] = Test{Question: question, Asked: question, Verdict: Accepted, Time: minute(5), Since: minute(5), Attempt: minute(5)}
		if at := s.previousTestAt(spec, account); at.Sub(minute(5)) != want {
			t.Errorf("asked was %q: it is tested again after %s, want %s", question, at.Sub(minute(5)), want)
		}
	}
}
