package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

func TestAVerdictIsVoidWhenTheQuestionChanges(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(spec *Spec)
		void   bool
	}{
		{"images of this registry", func(spec *Spec) { spec.Images = []string{hostA + "/app:1"} }, true},
		{"images of another registry", func(spec *Spec) { spec.Images = []string{"elsewhere.example/app:1"} }, false},
		{"the mode", func(spec *Spec) { spec.Mode = v1alpha1.VerifyLogin }, true},
		{"how often is read", func(spec *Spec) { spec.Refresh, spec.Verify, spec.Hold = 1, 2, 3 }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			test.change(&s.spec)
			s.spec.asked = nil
			if test.void {
				s.verdict(Unknown)
			} else {
				s.verdict(Accepted)
			}
			s.after(2 * MinInterval)
			s.verdict(Accepted) // it was asked again
		})
	}
}

func TestTheOrderOfImagesIsNoPartOfTheQuestion(t *testing.T) {
	question := func(images ...string) string {
		return (&Spec{Mode: v1alpha1.VerifyPull, Images: images}).Question(Account{Host: hostA, Keys: []string{hostA}})
	}
	first, second := hostA+"/app:1", hostA+"/app:2"
	if question(first, second) != question(second, first) || question(first, second) == question(first) {
		t.Error("images in another order are another question, or one more is none")
	}
}

func TestARefusalIsVoidWhenTheQuestionChanges(t *testing.T) {
	s := begin(t)
	s.rotate()
	s.after(5 * time.Minute)
	s.fate(Refuse)
	s.mute = 2
	s.spec.Images = []string{hostA + "/app:1"}
	s.after(5 * time.Minute)
	s.fate(HoldOn) // nothing is known of it, and the value in use is accepted
	s.inUse(1)
}

func TestAValueWhoseRefusalIsVoidIsHeldAgain(t *testing.T) {
	s := begin(t)
	s.rotate()
	s.after(time.Hour)
	s.fate(Refuse)
	s.says("503")
	s.spec.Images = []string{hostA + "/app:1"}
	s.after(MinInterval)
	s.inUse(1)
	s.fate(Hold)
	s.after(s.spec.Hold + 2*MinInterval)
	s.inUse(2) // the registry says nothing of either
}

func TestDisabledVerificationKeepsNoRefusal(t *testing.T) {
	s := begin(t)
	s.revoke(1)
	s.after(2 * verifyPeriod)
	s.verdict(Rejected)
	s.spec.Mode = v1alpha1.VerifyDisabled
	s.after(time.Second)
	s.verdict(Unknown)
	if at, cause := s.state.readAt(&s.spec); cause == CauseRefused {
		t.Errorf("the source is read at %s because of a refusal that nobody asks for", at)
	}
	if test := s.state.Test(&s.spec, s.state.Accounts[0]); test.Verdict != "" {
		t.Errorf("a test counts: %+v", test)
	}
	for _, account := range s.state.Accounts {
		if due := s.state.tests(&s.spec, s.now); len(due) > 0 {
			t.Errorf("%s is tested at %v", account.Host, due)
		}
	}
}

func TestARefusedValueInUseIsNotAcceptedAgainByOne429(t *testing.T) {
	racedetector.Skip(t)
	for _, later := range []string{"429", "503", "silent"} {
		t.Run("a refusal and then "+later, func(t *testing.T) {
			s := begin(t)
			s.revoke(1)
			s.after(2 * verifyPeriod)
			s.verdict(Rejected)
			s.says(later)
			s.after(24 * time.Hour)
			s.verdict(Rejected)
			s.restart()
			s.after(24 * time.Hour)
			s.verdict(Rejected)
		})
	}
}

func TestAnAcceptedValueInUseIsNotRefusedByOne429(t *testing.T) {
	s := begin(t)
	s.says("429")
	s.after(24 * time.Hour)
	s.verdict(Accepted)
	if test := s.state.Tests[s.state.Accounts[0].Print]; test.Silent == 0 || test.Said != "429" {
		t.Errorf("that the registry says nothing is not known: %+v", test)
	}
}

func TestOneRegistryThatRefusesIsEnough(t *testing.T) {
	s := begin(t)
	s.two = true
	s.respec()
	s.after(2 * time.Minute)
	s.verdict(Accepted)
	delete(s.takes[hostB], 1)
	s.after(2 * verifyPeriod)
	s.verdict(Rejected)
	if _, test := s.state.Of(&s.spec, &s.state.Value); test.Registry != hostB {
		t.Errorf("the test is that of %q", test.Registry)
	}
	s.takes[hostB][1] = true
	s.after(2 * verifyPeriod)
	s.verdict(Accepted)
	if _, test := s.state.Of(&s.spec, &s.state.Value); test.Verdict != Accepted || test.Message != "ok" {
		t.Errorf("both take it, and the test is %+v", test)
	}
}
