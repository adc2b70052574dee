package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestHowLongAValueIsHeldOfWhichARegistrySaysNothing has the new value read at start, with a hold of two minutes.
func TestHowLongAValueIsHeldOfWhichARegistrySaysNothing(t *testing.T) {
	seconds := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	silent := func(attempt time.Time) Test { return Test{Attempt: attempt, Silent: 1} }
	acceptedOnce := func(answered, attempt time.Time) Test {
		return Test{Verdict: Accepted, Time: answered, Attempt: attempt, Silent: 1}
	}
	for _, test := range []struct {
		name        string
		inUse, next Test
		testing     map[int]time.Time // tests that are under way, by version
		expire, now time.Time
		fate        Fate
		until       time.Time
	}{
		{name: "a moment before the hold is over", inUse: silent(seconds(1)), next: silent(seconds(1)), now: seconds(119), fate: Hold, until: minute(2)},
		{name: "the hold is over", inUse: silent(seconds(1)), next: silent(seconds(1)), now: minute(2), fate: PublishUnproven},
		{name: "both were asked at the moment when it was read", inUse: silent(start), next: silent(start), now: minute(2), fate: PublishUnproven},
		{name: "the new value was asked about before it was read", inUse: silent(seconds(1)), next: silent(minute(-1)), now: minute(3), fate: Hold, until: minute(3)},
		{name: "it was asked about another question since", inUse: silent(seconds(1)),
			next: Test{Since: minute(1), Attempt: minute(1), Silent: 1}, now: minute(2), fate: Hold, until: minute(3)},
		{name: "the test of the new value is under way, and the hold is not over", inUse: silent(seconds(1)), next: silent(seconds(1)),
			testing: map[int]time.Time{2: seconds(30)}, now: minute(1), fate: Hold, until: minute(2)},
		{name: "the test of the new value is under way, and the hold is over", inUse: silent(seconds(1)), next: silent(seconds(1)),
			testing: map[int]time.Time{2: minute(3)}, now: minute(4), fate: Hold, until: minute(4)},
		{name: "the test of the new value is lost", inUse: silent(seconds(1)), next: silent(seconds(1)),
			testing: map[int]time.Time{2: minute(3)}, now: minute(3).Add(testLimit), fate: PublishUnproven},
		{name: "the test of the value in use is under way", inUse: silent(minute(3)), next: silent(seconds(1)),
			testing: map[int]time.Time{1: minute(3)}, now: minute(4), fate: Hold, until: minute(4)},
		{name: "the value in use was not asked about since", inUse: silent(minute(-1)), next: silent(seconds(1)), now: minute(1), fate: Hold, until: minute(2)},
		{name: "the value in use was accepted at the moment when the new one was read", inUse: acceptedOnce(start, minute(1)), next: silent(seconds(1)), now: minute(5), fate: HoldOn},
		{name: "the value in use was accepted before that", inUse: acceptedOnce(seconds(-1), minute(1)), next: silent(seconds(1)), now: minute(5), fate: PublishUnproven},
		{name: "the value in use has ended, and was accepted after its end, before the new one was read", inUse: acceptedOnce(minute(-2), seconds(10)), next: silent(seconds(10)),
			expire: minute(-3), now: seconds(11), fate: Hold, until: minute(2)},
		{name: "the value in use has ended, and was not accepted since", inUse: acceptedOnce(minute(-4), seconds(10)), next: silent(seconds(10)),
			expire: minute(-3), now: seconds(11), fate: PublishUnproven},
		{name: "the value in use ends now, and was asked about before", inUse: silent(seconds(10)), next: silent(seconds(10)), expire: seconds(11), now: seconds(11), fate: Hold, until: minute(2)},
		{name: "the value in use is to end", inUse: silent(seconds(10)), next: silent(seconds(10)), expire: minute(60), now: seconds(11), fate: Hold, until: minute(2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			s.ExpireTime, s.Testing = test.expire, map[string]time.Time{}
			s.know(spec, 1, test.inUse)
			s.know(spec, 2, test.next)
			for version, began := range test.testing {
				s.Testing[accountOf(version, hostA).Print] = began
			}
			got, _ := s.Judge(spec, test.now)
			if got.Fate != test.fate || !got.Until.Equal(test.until) {
				t.Errorf("it is %s until %s, want %s until %s", got.Fate, got.Until, test.fate, test.until)
			}
		})
	}
}

func TestAFirstValueIsHeldWithoutAnythingToCompareWith(t *testing.T) {
	spec, s := asking()
	s.Value = Value{ExpireTime: minute(-1)} // what is not published has no end that matters
	s.know(spec, 2, Test{Attempt: start, Silent: 1, Said: "503"})
	if got, _ := s.Judge(spec, minute(1)); got.Fate != Hold || !got.Until.Equal(minute(2)) || got.Message != "503" {
		t.Errorf("it is %+v", got)
	}
	if got, _ := s.Judge(spec, minute(2)); got.Fate != PublishUnproven {
		t.Errorf("after the hold it is %+v", got)
	}
}

func TestAValueWithoutARevisionIsNotPublishedByAnAnnotationThatIsNotThere(t *testing.T) {
	spec, s := asking()
	s.Waiting.Revision = ""
	s.know(spec, 1, Test{Verdict: Accepted, Time: minute(1), Attempt: minute(1)})
	s.know(spec, 2, Test{Attempt: minute(1), Silent: 1})
	if got, _ := s.Judge(spec, minute(5)); got.Fate != HoldOn {
		t.Errorf("it is %s", got.Fate)
	}
}

// TestOfSeveralRegistriesTheGraverDecides judges in both orders.
func TestOfSeveralRegistriesTheGraverDecides(t *testing.T) {
	early, late := minute(1), minute(2)
	for _, test := range []struct {
		name string
		a, b Judgement
		want Judgement
	}{
		{"one refuses", Judgement{Fate: Refuse, Message: "a"}, Judgement{Fate: HoldOn, Message: "b"}, Judgement{Fate: Refuse, Message: "a"}},
		{"one says nothing and takes the value in use", Judgement{Fate: HoldOn, Message: "a"}, Judgement{Fate: Hold, Until: late, Message: "b"}, Judgement{Fate: HoldOn, Message: "a"}},
		{"one accepts and one says nothing", Judgement{Fate: PublishProven}, Judgement{Fate: Hold, Until: early}, Judgement{Fate: Hold, Until: early}},
		{"of two holds the later ends it", Judgement{Fate: Hold, Until: early, Message: "a"}, Judgement{Fate: Hold, Until: late, Message: "b"}, Judgement{Fate: Hold, Until: late, Message: "b"}},
		{"one accepts and one is not proven", Judgement{Fate: PublishProven}, Judgement{Fate: PublishUnproven, Message: "b"}, Judgement{Fate: PublishUnproven, Message: "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, got := range []Judgement{graver(test.a, test.b), graver(test.b, test.a)} {
				if got.Fate != test.want.Fate || !got.Until.Equal(test.want.Until) || got.Message != test.want.Message {
					t.Errorf("it is %+v, want %+v", got, test.want)
				}
			}
		})
	}
	if got := graver(Judgement{Fate: Refuse, Message: "first"}, Judgement{Fate: Refuse, Message: "second"}); got.Message != "first" {
		t.Error("of two that refuse the first is not the one that is told")
	}
}

func TestAnOlderAnswerIsJudgedSinceItWasFirstGiven(t *testing.T) {
	spec, s := asking()
	spec.Mode = v1alpha1.VerifyLogin
	s.Older, s.Waiting = &Older{Value: s.Waiting.Value, Since: minute(1)}, nil
	s.know(spec, 1, Test{Verdict: Rejected, Since: start, Time: start, Attempt: start})
	if candidate := s.candidate(spec); candidate == nil || !candidate.FirstSeen.Equal(minute(1)) {
		t.Errorf("it is %+v", candidate)
	}
	s.know(spec, 1, Test{Verdict: Rejected, Since: minute(2), Time: minute(2), Attempt: minute(2)})
	if candidate := s.candidate(spec); candidate == nil || !candidate.FirstSeen.Equal(minute(2)) { // an acceptance must be later than the refusal
		t.Errorf("it is %+v", candidate)
	}
}
