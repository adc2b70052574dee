package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// resting is a state in which nothing is due for an hour at minute 5, save what is known of version 2.
func resting() (*Spec, *State) {
	spec, s := asking()
	spec.Refresh = time.Hour
	s.Reads = Reads{Last: minute(5), ReadTime: minute(5), SpecHash: spec.SpecHash}
	s.know(spec, 1, Test{Verdict: Accepted, Since: minute(1), Time: minute(4), Attempt: minute(4)})
	return spec, s
}

// Whoever carries a step out tells people why: the judgement is part of it.
func TestAStepSaysWhyAValueIsPublishedOrWaits(t *testing.T) {
	refused := Test{Verdict: Rejected, Since: minute(4), Time: minute(4), Attempt: minute(5), Repeats: 5, Message: "401", Silent: 1, Said: "503"}
	for _, test := range []struct {
		name    string
		known   Test
		do      Do
		fate    Fate
		host    string
		message string
	}{
		{"accepted", Test{Verdict: Accepted, Time: minute(4), Attempt: minute(4)}, Publish, PublishProven, "", ""},
		{"refused: what the registry said when it refused it", refused, Rest, Refuse, hostA, "401"},
		{"not answered for: what the registry said instead", Test{Attempt: minute(5), Silent: 1, Said: "503"}, Rest, HoldOn, hostA, "503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := resting()
			s.know(spec, 2, test.known)
			step := Next(spec, s, minute(5))
			if j := step.Judgement; step.Do != test.do || j.Fate != test.fate || j.Account.Host != test.host || j.Message != test.message {
				t.Errorf("it is %s, and the judgement is %+v", step.Do, step.Judgement)
			}
		})
	}
}

func TestOfSeveralRegistriesTheOneThatDecidesIsNamed(t *testing.T) {
	spec, s := asking()
	w := &world{now: start, obtained: map[string]time.Time{}, two: true}
	s.Waiting.Value = w.value(2)
	s.Waiting.SpecHash = spec.SpecHash
	s.know(spec, 2, Test{Verdict: Accepted, Time: minute(1), Attempt: minute(1)})
	second := s.Waiting.Accounts[1]
	question := spec.Question(second)
	s.Tests[second.Print] = Test{Question: question, Asked: question, Verdict: Rejected, Since: minute(1), Time: minute(1), Attempt: minute(1), Message: "401"}
	if judged, _ := s.Judge(spec, minute(2)); judged.Fate != Refuse || judged.Account.Host != hostB || judged.Message != "401" {
		t.Errorf("%+v", judged)
	}
}

func TestWhatIsSaidOfALoginThatIsInUseThereAlready(t *testing.T) {
	for _, test := range []struct {
		name  string
		known Test
		want  Fate
	}{
		{"the registry accepted it, if long ago", Test{Verdict: Accepted, Time: minute(-60), Attempt: minute(-60)}, PublishProven},
		{"the registry refuses it", Test{Verdict: Rejected, Time: minute(1), Attempt: minute(1)}, PublishUnproven},
		{"the registry said nothing", Test{Attempt: minute(1), Silent: 1}, PublishUnproven},
	} {
		spec, s := asking()
		s.Waiting.Accounts = s.Accounts
		s.know(spec, 1, test.known)
		if judged, _ := s.Judge(spec, minute(2)); judged.Fate != test.want {
			t.Errorf("%s: it is %s, want %s", test.name, judged.Fate, test.want)
		}
	}
}

func TestWhatHasEndedWakesNobody(t *testing.T) {
	spec, s := resting()
	s.Waiting = nil
	s.Previous = &Previous{Value: Value{ExpireTime: minute(6)}, ReplacedTime: minute(7).Add(-PreviousKept), End: EndNotKept}
	if step := Next(spec, s, minute(5)); step.Do != Rest || !step.Until.Equal(minute(4).Add(verifyPeriod)) {
		t.Errorf("it is %s until %s after the start, when the value in use is tested", step.Do, step.Until.Sub(start))
	}
}

func TestWhereNothingIsPlannedOnlyAnEventChangesAnything(t *testing.T) {
	spec, s := resting()
	spec.Mode, s.Waiting, s.Reads.Minted = v1alpha1.VerifyDisabled, nil, true // it was made, and has no end
	if step := Next(spec, s, minute(5)); step.Do != Rest || !step.Until.IsZero() {
		t.Errorf("it is %s until %s", step.Do, step.Until)
	}
}

func TestAnEndThatIsNowIsNoReasonToWait(t *testing.T) {
	spec, s := resting()
	s.Waiting, s.ExpireTime = nil, minute(5)
	s.know(spec, 1, Test{Verdict: Accepted, Since: minute(1), Time: minute(5), Attempt: minute(5)})
	if step := Next(spec, s, minute(5)); step.Do != Rest || !step.Until.Equal(minute(5).Add(verifyPeriod)) {
		t.Errorf("it is %s until %s", step.Do, step.Until.Sub(start))
	}
}

// The source gives the earlier value again while the registry goes back to that: it is in use then, and waits no more.
func TestAValueThatIsRestoredDoesNotWaitBesides(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.waits(1)
	s.state.Restore(&s.spec, s.now)
	if versionOf(&s.state.Value) != 1 || versionOf(&s.state.Waiting.Value) != 2 || !s.state.Waiting.FirstSeen.Equal(s.now) {
		t.Errorf("in use is version %d, waiting %+v", versionOf(&s.state.Value), s.state.Waiting)
	}
}

// It is refused as the one before it was, since an account is locked: that it is in use now is no reason to forget that.
func TestARefusalIsKnownOfAValueThatIsPublishedAllTheSame(t *testing.T) {
	spec, s := asking()
	refused := Test{Verdict: Rejected, Since: start, Time: minute(3), Attempt: minute(3), Repeats: 3}
	s.know(spec, 1, refused)
	s.know(spec, 2, refused)
	if judged, _ := s.Judge(spec, minute(3)); judged.Fate != PublishUnproven {
		t.Fatalf("it is %s", judged.Fate)
	}
	s.Publish(spec, minute(3))
	if verdict, test := s.Of(spec, &s.Value); verdict != Rejected || test.Repeats != 3 || !s.refusedSince(spec).Equal(start) {
		t.Errorf("it is %s: %+v", verdict, test)
	}
}
