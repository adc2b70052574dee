package rotation

import (
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// A read that says nothing new must not have the record written, and whatever it says that is new must.
func TestWhatAReadOfTheValueInUseChanges(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(v *Value)
		want   bool
	}{
		{"nothing but when it was read", func(*Value) {}, false},
		{"its lease, which is the same one", func(v *Value) { v.Lease = heldLease("a") }, false},
		{"its revision", func(v *Value) { v.Revision = "other" }, true},
		{"what it was read for", func(v *Value) { v.SpecHash = "other" }, true},
		{"its version", func(v *Value) { v.Version = 9 }, true},
		{"when it was written", func(v *Value) { v.CreatedTime = minute(9) }, true},
		{"when it ends", func(v *Value) { v.ExpireTime = minute(90) }, true},
		{"that each read makes it", func(v *Value) { v.Minted = true }, true},
	} {
		_, s := asking()
		s.Value.Lease = heldLease("a")
		next := s.Value
		next.ReadTime = minute(5)
		test.change(&next)
		if s.refresh(next); s.Value.ReadTime.Equal(minute(5)) != test.want {
			t.Errorf("%s: it is noted: %t", test.name, !test.want)
		}
	}
}

// A hold is of the registry's silence about values that each read makes anew: what takes the place of another thing begins anew.
func TestWhichHoldGoesOnWithAnotherValue(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(spec *Spec, s *State, next *Value)
		want   time.Time
	}{
		{"a made one takes the place of a made one", func(*Spec, *State, *Value) {}, start},
		{"the one before had taken another's place", func(_ *Spec, s *State, _ *Value) { s.Waiting.HeldSince = minute(-5) }, minute(-5)},
		{"nothing waited", func(_ *Spec, s *State, _ *Value) { s.Waiting = nil }, time.Time{}},
		{"the one before can be read again", func(_ *Spec, s *State, _ *Value) { s.Waiting.Minted = false }, time.Time{}},
		{"the new one can", func(_ *Spec, _ *State, next *Value) { next.Minted = false }, time.Time{}},
		{"it is for another spec", func(_ *Spec, _ *State, next *Value) { next.SpecHash = "other" }, time.Time{}},
		{"the one before was refused, and not held", func(spec *Spec, s *State, _ *Value) { s.know(spec, 2, Test{Verdict: Rejected}) }, time.Time{}},
	} {
		spec, s := asking()
		s.Waiting.Minted = true
		next := s.Waiting.Value
		test.change(spec, s, &next)
		if got := s.heldSince(spec, &next); !got.Equal(test.want) {
			t.Errorf("%s: since %s", test.name, got)
		}
	}
}

func TestWhichValuesWereMadeInVain(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(spec *Spec, s *State, next *Value)
		want   int
	}{
		{"one because the one before is refused", func(*Spec, *State, *Value) {}, 4},
		{"not one that each read gives again", func(_ *Spec, _ *State, next *Value) { next.Minted = false }, 0},
		{"not one for another spec", func(_ *Spec, _ *State, next *Value) { next.SpecHash = "other" }, 0},
		{"not one while the one before is accepted", func(spec *Spec, s *State, _ *Value) { s.know(spec, 1, Test{Verdict: Accepted}) }, 0},
		{"one because the one that waits is refused, both for another spec than the one in use", func(spec *Spec, s *State, next *Value) {
			_, other := asking()
			s.Waiting, next.SpecHash = other.Waiting, "other"
			s.Waiting.SpecHash = "other"
			s.know(spec, 1, Test{Verdict: Accepted})
			s.know(spec, 2, Test{Verdict: Rejected})
		}, 4},
	} {
		spec, s := asking()
		s.Waiting, s.Fruitless = nil, 3
		s.know(spec, 1, Test{Verdict: Rejected})
		next := s.Value
		next.Minted = true
		test.change(spec, s, &next)
		if s.countFruitless(spec, &next); s.Fruitless != test.want {
			t.Errorf("%s: %d", test.name, s.Fruitless)
		}
	}
}

// TestWhenASourceThatGaveNothingUsableIsReadAgain has it read every minute.
func TestWhenASourceThatGaveNothingUsableIsReadAgain(t *testing.T) {
	stalled := &source.Error{Reason: "SecretNotFound", Stalled: true}
	wasted := &source.Error{Reason: "KeyMissing", Stalled: true, Wasted: true}
	down := source.Transient("Unavailable", "down", nil)
	lost := &source.Error{Reason: "Unavailable", Wasted: true}
	told := &source.Error{Reason: "KeyMissing", Stalled: true, Wasted: true, RetryAfter: time.Hour}
	for _, test := range []struct {
		name   string
		faults []*source.Error
		after  time.Duration
		wasted int
	}{
		{"a person has to correct it", []*source.Error{stalled}, refresh, 0},
		{"so for long", []*source.Error{stalled, stalled, stalled, stalled, stalled}, refresh, 0},
		{"each read makes what is of no use, and it is the second", []*source.Error{wasted, wasted}, 2 * refresh, 2},
		{"so, the fifth", []*source.Error{wasted, wasted, wasted, wasted, wasted}, 16 * refresh, 5},
		{"so, the hundredth", slices.Repeat([]*source.Error{wasted}, 100), wastedInterval, 100},
		{"so, and the source asks to be left alone", []*source.Error{wasted, wasted, told}, time.Hour, 3},
		{"the source is down after that", []*source.Error{wasted, wasted, down}, 4 * schedule.FirstBackoff, 2},
		{"what was made is lost because the source is down: nobody has to correct that", []*source.Error{lost, lost}, 2 * schedule.FirstBackoff, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			spec.Refresh = refresh
			for _, fault := range test.faults {
				s.NoteFault(spec, fault, minute(1))
			}
			if at, _ := s.readAt(spec); at.Sub(minute(1)) != test.after || s.Reads.Wasted != test.wasted {
				t.Errorf("it is read after %s, and %d were made in vain", at.Sub(minute(1)), s.Reads.Wasted)
			}
		})
	}
}

// How long a registry is left alone is for its last answer to say.
func TestARegistryIsLeftAloneForAsLongAsItAskedLast(t *testing.T) {
	spec, s := asking()
	account := accountOf(1, hostA)
	for _, test := range []struct{ asked, want time.Duration }{{5 * time.Minute, 5 * time.Minute}, {time.Minute, time.Minute}, {time.Hour, maxRetryAfter}, {0, 0}} {
		s.NoteAnswer(account, spec.Question(account), Answer{Verdict: Unknown, RetryAfter: test.asked}, start)
		if until := s.leftAlone(account); test.want == 0 && !until.IsZero() || test.want > 0 && !until.Equal(start.Add(test.want)) {
			t.Errorf("it asked for %s, and is left alone until %s", test.asked, until)
		}
	}
}
