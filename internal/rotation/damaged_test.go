package rotation

import (
	"strings"
	"testing"
	"time"
)

// damaged is a state whose record lost the content of the value in use: somebody edited its Secret. Version 1 is not in use, whatever else is
// known of it.
func damaged() (*Spec, *State) {
	spec, s := asking()
	s.Config = nil
	return spec, s
}

func TestAValueWhoseContentIsLostIsNotInUse(t *testing.T) {
	accepted := Test{Verdict: Accepted, Since: minute(-9), Time: minute(1), Attempt: minute(1)}
	t.Run("it is published again when the source gives it", func(t *testing.T) {
		spec, s := damaged()
		value := (&world{now: start, obtained: map[string]time.Time{}}).value(1)
		value.SpecHash = spec.SpecHash
		s.Waiting = nil
		if s.NoteRead(spec, value, nil, CausePlan, minute(1), minute(1)); s.Waiting == nil {
			t.Fatal("it does not wait, and would never be in use again")
		}
		s.know(spec, 1, accepted)
		if step := Next(spec, s, minute(1)); step.Do != Publish {
			t.Errorf("the step is %s", step.Do)
		}
	})
	t.Run("it is not the one before", func(t *testing.T) {
		spec, s := damaged()
		if s.Publish(spec, minute(1)); s.Previous != nil {
			t.Errorf("the one before is %+v", s.Previous)
		}
	})
	t.Run("a login that it had proves nothing", func(t *testing.T) {
		spec, s := damaged()
		s.Waiting.Accounts, s.Waiting.FirstSeen = s.Accounts, minute(2)
		s.know(spec, 1, accepted)
		if judged, _ := s.Judge(spec, minute(3)); judged.Fate != Hold {
			t.Errorf("the fate is %s", judged.Fate)
		}
	})
	t.Run("a registry that accepts it holds nothing back for ever", func(t *testing.T) {
		spec, s := damaged()
		s.know(spec, 1, accepted)
		s.know(spec, 2, Test{Attempt: minute(1), Silent: 1})
		if judged, _ := s.Judge(spec, minute(5)); judged.Fate != PublishUnproven {
			t.Errorf("the fate is %s", judged.Fate)
		}
	})
	t.Run("that it is refused is no reason to read", func(t *testing.T) {
		spec, s := damaged()
		s.know(spec, 1, Test{Verdict: Rejected, Since: minute(1), Time: minute(1), Attempt: minute(1)})
		if since := s.refusedSince(spec); !since.IsZero() {
			t.Errorf("it is refused since %s", since)
		}
	})
	t.Run("that it was minted keeps nobody from reading", func(t *testing.T) {
		spec, s := damaged()
		s.Minted, s.Waiting = true, nil
		if at, cause := s.readAt(spec); !at.IsZero() || cause != CauseSpec {
			t.Errorf("it is read at %s because of %s", at, cause)
		}
	})
	t.Run("an older answer is believed, for want of another", func(t *testing.T) {
		spec, s := damaged()
		s.Waiting, s.Version, s.Place = nil, 7, "place"
		value := (&world{now: start, obtained: map[string]time.Time{}}).value(3)
		value.Place, value.SpecHash = "place", spec.SpecHash
		if s.NoteRead(spec, value, nil, CausePlan, minute(1), minute(1)); s.Waiting == nil || s.Older != nil || !s.Waiting.CountTime.IsZero() {
			t.Errorf("waiting is %+v, older %+v", s.Waiting, s.Older)
		}
	})
}

func TestAValueThatWaitsWithoutItsContentSaysWhatIsWaitedFor(t *testing.T) {
	spec, s := asking()
	s.Waiting.Config = nil
	s.know(spec, 2, Test{Verdict: Accepted, Time: minute(1), Attempt: minute(1)})
	if judged, waits := s.Judge(spec, minute(2)); !waits || judged.Fate != Hold || !strings.Contains(judged.Message, "read from the source again") {
		t.Errorf("%+v", judged)
	}
}
