package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestAValueIsInDoubtUntilAllItsRegistriesAcceptedItAndWhileOneRefusesIt(t *testing.T) {
	for _, test := range []struct {
		name     string
		verified time.Time
		tests    map[string]Test
		want     bool
	}{
		{"no registry said anything", time.Time{}, nil, true},
		{"one accepted it, and not yet all", time.Time{}, map[string]Test{"a": {Verdict: Accepted}}, true},
		{"all accepted it", start, map[string]Test{"a": {Verdict: Accepted}, "b": {Verdict: Accepted}}, false},
		{"all accepted it, and nothing is known any more", start, nil, false},
		{"the first refuses it since", start, map[string]Test{"a": {Verdict: Rejected}, "b": {Verdict: Accepted}}, true},
		{"the second refuses it since", start, map[string]Test{"a": {Verdict: Accepted}, "b": {Verdict: Rejected}}, true},
		{"a registry refuses another value", start, map[string]Test{"other": {Verdict: Rejected}}, false},
	} {
		kept := Kept{Value: Value{Accounts: []Account{{Print: "a"}, {Print: "b"}}, Use: Use{VerifiedTime: test.verified}}, Tests: test.tests}
		if got := kept.InDoubt(); got != test.want {
			t.Errorf("%s: in doubt is %t", test.name, got)
		}
	}
}

func TestAnAcceptanceIsForgottenOnlyWhereItIsFromBeforeTheValueCame(t *testing.T) {
	for at, want := range map[time.Time]Verdict{start.Add(-time.Second): "", start: Accepted, start.Add(time.Second): Accepted} {
		s := State{Kept: Kept{Tests: map[string]Test{"a": {Verdict: Accepted, Time: at}}}}
		s.forgetAccepted(&Waiting{Value: Value{Accounts: []Account{{Print: "a"}}}, FirstSeen: start})
		if got := s.Tests["a"].Verdict; got != want {
			t.Errorf("accepted %s after it came: %q is left", at.Sub(start), got)
		}
	}
}

// What a registry refused is refused until it accepts it: that it is asked something else since, and says nothing, makes no value work.
func TestAValueThatIsRefusedStaysInDoubtWhileAnotherQuestionHasNoAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(spec *Spec)
	}{
		{"another image", func(spec *Spec) { spec.Images = []string{hostA + "/app:1"} }},
		{"another mode", func(spec *Spec) { spec.Mode = v1alpha1.VerifyLogin }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.revoke(1)
			s.after(2 * verifyPeriod)
			if s.verdict(Rejected); !s.state.InDoubt() {
				t.Fatal("it is refused, and not in doubt")
			}
			s.says("503")
			test.change(&s.spec)
			s.after(2 * MinInterval)
			if s.verdict(Unknown); !s.state.InDoubt() {
				t.Error("the registry gave no answer, and the refusal is forgotten")
			}
			s.takes[hostA][1] = true
			s.says("well")
			s.after(2 * verifyPeriod)
			if s.verdict(Accepted); s.state.InDoubt() {
				t.Error("the registry accepts it again, and it is in doubt")
			}
		})
	}
}

// A value that is put in use again begins anew: that it was accepted when it was in use before says nothing since it was refused.
func TestAValueThatWasRestoredOverAndIsPublishedAgainCountsAsNotAccepted(t *testing.T) {
	spec, s := asking()
	s.Previous, s.Waiting = &Previous{Value: s.Waiting.Value, ReplacedTime: minute(1)}, nil
	s.VerifiedTime, s.Proof = minute(2), ProofPull
	s.Restore(spec, minute(5))
	spec.Mode, spec.asked = v1alpha1.VerifyDisabled, nil
	s.Publish(spec, minute(6))
	if versionOf(&s.Value) != 1 || !s.VerifiedTime.IsZero() || s.Proof != "" || !s.ChangeTime.Equal(minute(6)) {
		t.Errorf("version %d, accepted at %s by %q", versionOf(&s.Value), s.VerifiedTime, s.Proof)
	}
}
