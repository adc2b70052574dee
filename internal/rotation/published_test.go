package rotation

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

func TestARefusedValueIsNotPublishedAfterOne429(t *testing.T) {
	racedetector.Skip(t)
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
	racedetector.Skip(t)
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
	racedetector.Skip(t)
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

// A person may name the revision of a value that waits before the registry was asked about it: perhaps it says no.
func TestAValueThatAPersonNamesIsTestedOnceBeforeItIsPublished(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes bool
		mute  int
		want  int
	}{
		{"the registry refuses it", false, 0, 1},
		{"the registry accepts it", true, 0, 2},
		{"the registry says nothing of it", false, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.spec.PublishRevision = "v2"
			s.mute = c.mute
			s.rotate()
			s.takes[hostA][2] = c.takes
			s.after(refresh)
			s.after(5 * time.Minute)
			s.inUse(c.want)
		})
	}
}

func TestAValueThatWasRestoredOverIsPublishedOnlyWhenItIsAccepted(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.takes[hostA] = map[int]bool{1: true}
	s.after(2 * verifyPeriod)
	s.inUse(1)
	s.fate(Refuse)
	s.says("503")
	s.spec.Images = []string{hostA + "/app:1"} // the refusal is void
	s.after(time.Hour)
	s.fate(HoldOn)
	s.inUse(1)
	s.takes[hostA] = map[int]bool{}
	s.says("well")
	s.mute = 2
	s.after(time.Hour) // the value in use is refused, and the registry says nothing of the other one
	s.inUse(1)
	s.mute, s.takes[hostA] = 0, map[int]bool{2: true}
	s.after(2 * verifyPeriod)
	s.inUse(2)
}

// The registry begins to refuse the value in use, the source has the right one already, and the registry is slower to say so of that than of
// the value before.
func TestWhatTheSourceGaveSinceIsNotForgottenByARestore(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.spec.Refresh = 24 * time.Hour
	s.rotate(hostA)
	s.waits(3)
	s.takes[hostA][2] = false
	s.state.Reads.Last, s.stored = s.now, s.state.Kept
	s.hears(2, Rejected)
	s.hears(1, Accepted)
	s.state.NoteAttempt(s.state.Waiting.Accounts[0], s.now)
	if step := Next(&s.spec, &s.state, s.now); step.Do != Restore {
		t.Fatalf("the step is %+v", step)
	}
	s.state.Restore(&s.spec, s.now)
	if got := versionOf(&s.state.Waiting.Value); got != 3 || versionOf(&s.state.Value) != 1 || s.state.RestoredOver == "" {
		t.Fatalf("version %d waits, version %d is in use, restored over %q", got, versionOf(&s.state.Value), s.state.RestoredOver)
	}
	s.hears(3, Accepted)
	s.after(time.Second)
	s.inUse(3)
}

// A source that is read once a day was read a moment before the registry began to refuse the value in use.
func TestARestoreHasTheSourceReadAgain(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.spec.Refresh = 24 * time.Hour
	s.hears(2, Rejected)
	s.hears(1, Accepted)
	s.state.Reads.Last = s.now.Add(-time.Second)
	s.rotate(hostA)
	s.takes[hostA][2] = false
	s.after(time.Second)
	s.inUse(1)
	s.after(time.Minute)
	s.inUse(3)
}

func TestAValueThatWasReadByAnotherProcessIsJudgedAndNotPublished(t *testing.T) {
	for _, c := range []struct {
		name  string
		said  Verdict
		want  Fate
		later Fate // once it was read again
	}{
		{"it is refused", Rejected, Refuse, Refuse},
		{"it is accepted", Accepted, Hold, PublishProven},
		{"nothing is known of it", "", Hold, Hold},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.waits(2)
			if c.said != "" {
				s.say(2, c.said, 0)
			}
			config := s.state.Waiting.Config
			s.state.Waiting.Config = nil
			s.fate(c.want)
			if step := Next(&s.spec, &s.state, s.now); step.Do == Publish {
				t.Error("it is published without its content")
			}
			s.state.Waiting.Config = config
			s.fate(c.later)
			s.state.Waiting.Config = nil
			s.spec.asked, s.spec.Mode = nil, v1alpha1.VerifyDisabled
			s.fate(Hold)
			s.state.Waiting.SpecHash = "other"
			if judged, waits := s.state.Judge(&s.spec, s.now); waits {
				t.Errorf("a value of another spec is judged: %+v", judged)
			}
		})
	}
}

func TestAValueNamesTheGenerationThatItWasPutInUseFor(t *testing.T) {
	s := begin(t)
	s.waits(2)
	s.spec.Generation = 5
	s.state.Publish(&s.spec, s.now)
	if s.state.Generation != 5 || s.state.Previous == nil {
		t.Fatalf("published for generation 5: %d, before it %+v", s.state.Generation, s.state.Previous)
	}
	s.spec.Generation = 7
	s.state.Restore(&s.spec, s.now)
	if s.state.Generation != 7 || versionOf(&s.state.Value) != 1 {
		t.Errorf("restored for generation 7: %d", s.state.Generation)
	}
	again := s.state.Value
	again.Revision, again.Version, again.Use = "the same, written once more", again.Version+1, Use{}
	use := s.state.Use
	s.state.refresh(again)
	if s.state.Revision != again.Revision || s.state.Use != use {
		t.Errorf("after a read that gave the same value in revision %q: %+v, want %+v", s.state.Revision, s.state.Use, use)
	}
	if got := SpecOf(&v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Generation: 3}}).Generation; got != 3 {
		t.Errorf("an object of generation 3 has a spec of generation %d", got)
	}
}
