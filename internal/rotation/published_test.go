package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestARefusedValueIsNotPublishedAfterOne429(t *testing.T) {
	for _, later := range []string{"429", "503", "silent"} {
		t.Run("a refusal and then "+later, func(t *testing.T) {
			s := begin(t)
			s.rotate()
			s.after(5 * time.Minute)
			s.fate(Refuse)
			s.says(later)
			s.after(24 * time.Hour)
			s.inUse(1)
			s.restart()
			s.after(24 * time.Hour)
			s.inUse(1)
			s.fate(Refuse)
		})
	}
}

func TestAValueRefusedWith400DoesNotReplaceOneThatIsAccepted(t *testing.T) {
	s := begin(t)
	s.says("400")
	s.rotate()
	s.after(24 * time.Hour)
	s.inUse(1)
	s.fate(Refuse)
	s.takes[hostA][2] = true
	s.after(refresh + verifyPeriod)
	s.inUse(2)
}

func TestAnUnknownValueIsHeldOnWhereTheSameRegistryAcceptsTheOneInUse(t *testing.T) {
	s := begin(t)
	s.rotate()
	s.mute = 2
	s.after(24 * time.Hour)
	s.inUse(1)
	s.fate(HoldOn)
	s.spec.PublishRevision = "v1"
	s.after(time.Hour)
	s.inUse(1) // the annotation names another revision
	s.spec.PublishRevision = "v2"
	s.after(time.Second)
	s.inUse(2)
}

func TestAnUnknownValueIsPublishedAfterTheHoldAndNotBefore(t *testing.T) {
	s := begin(t)
	s.says("503")
	s.rotate()
	s.after(refresh) // the source is read
	s.fate(Hold)
	s.after(s.state.Waiting.FirstSeen.Add(s.spec.Hold).Sub(s.now) - time.Second)
	s.inUse(1)
	s.after(time.Minute)
	s.inUse(2)
	s.verdict(Unknown)
}

func TestThreeSilentRegistriesDoNotBlockRotation(t *testing.T) {
	s := &script{newWorld(1), t}
	s.third, s.two = true, true
	s.respec()
	s.says("silent")
	s.after(s.spec.Hold + time.Minute)
	s.inUse(1)
	s.rotate()
	s.after(refresh + s.spec.Hold + time.Minute)
	s.inUse(2)
	for _, account := range s.state.Accounts {
		if s.state.Tests[account.Print].Attempt.IsZero() {
			t.Errorf("%s was never asked", account.Host)
		}
	}
}

func TestASilentRegistryDoesNotHideThatAnotherRefuses(t *testing.T) {
	s := begin(t)
	s.two = true
	s.respec()
	s.after(2 * time.Minute)
	s.rotate()
	s.hosts[hostA] = "silent"
	s.after(24 * time.Hour)
	s.inUse(1)
	s.fate(Refuse)
}

func TestALoginThatIsAcceptedIsEnoughWhereAllImagesAreGone(t *testing.T) {
	s := begin(t)
	s.proof = ProofLogin
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	if s.state.Proof != ProofLogin || s.state.VerifiedTime.IsZero() {
		t.Errorf("proof %q, verified %s", s.state.Proof, s.state.VerifiedTime)
	}
}

func TestAnEndThatHasPassedDoesNotVoidTheHold(t *testing.T) {
	ended := func(s *script) { s.state.ExpireTime = s.now.Add(-time.Hour) }
	t.Run("the registry still accepts the value in use", func(t *testing.T) {
		s := begin(t)
		ended(s)
		s.rotate()
		s.mute = 2
		s.after(24 * time.Hour)
		s.inUse(1)
		s.fate(HoldOn)
	})
	t.Run("the registry says nothing of either since the end", func(t *testing.T) {
		s := begin(t)
		s.says("503")
		ended(s)
		s.rotate()
		s.after(refresh + 10*time.Second)
		if s.state.Version == 1 {
			s.after(s.spec.Hold)
		}
		s.inUse(2) // there is nothing that protects the old one
	})
}

func TestWithoutVerificationWhatTheSourceGivesIsPublished(t *testing.T) {
	s := begin(t)
	s.rotate()
	s.after(time.Hour)
	s.inUse(1)
	s.spec.Mode = v1alpha1.VerifyDisabled
	s.after(time.Second)
	s.inUse(2)
}
