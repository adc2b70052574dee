package rotation

import (
	"testing"
	"time"
)

// beforeAt is a state with version 3 before the one in use, which a registry takes since minute 1.
func beforeAt(known Test) (*Spec, *State) {
	spec, s := asking()
	w := &world{now: start, obtained: map[string]time.Time{}}
	s.Waiting, s.Previous, s.Delivered = nil, &Previous{Value: w.value(3), ReplacedTime: start}, true
	s.know(spec, 1, Test{Verdict: Accepted, Since: minute(1), Time: minute(9), Attempt: minute(9)})
	s.know(spec, 3, known)
	return spec, s
}

// A refusal of the value before is shown only where the value in use was taken then: so it is asked about once more.
func TestWhenTheValueInUseIsAskedAboutBecauseTheOneBeforeWasRefused(t *testing.T) {
	refused := Test{Verdict: Rejected, Since: minute(4), Time: minute(4), Attempt: minute(4)}
	for _, test := range []struct {
		name   string
		known  Test
		change func(spec *Spec, s *State)
		want   time.Time
	}{
		{"when it was refused", refused, func(*Spec, *State) {}, minute(4)},
		{"not where it is accepted", Test{Verdict: Accepted, Time: minute(4), Attempt: minute(4)}, func(*Spec, *State) {}, time.Time{}},
		{"not where the registry says nothing of it", Test{Silent: 1, Attempt: minute(4)}, func(*Spec, *State) {}, time.Time{}},
		{"not where it has ended", refused, func(_ *Spec, s *State) { s.DropPrevious(EndNotKept) }, time.Time{}},
		{"not where there is none", refused, func(_ *Spec, s *State) { s.Previous = nil }, time.Time{}},
		{"not where the one in use is refused as well", refused, func(spec *Spec, s *State) { s.know(spec, 1, refused) }, time.Time{}},
		{"not where nothing is said of the one in use", refused, func(spec *Spec, s *State) { s.know(spec, 1, Test{}) }, time.Time{}},
		{"not where that login is in use for other images", refused, func(_ *Spec, s *State) {
			moved := s.Previous.Accounts[0]
			moved.Keys = []string{hostA + "/moved"}
			s.Accounts = append(s.Accounts, moved)
		}, time.Time{}},
	} {
		spec, s := beforeAt(test.known)
		test.change(spec, s)
		if got := s.wantedSince(spec, s.Accounts[0], s.test(spec, s.Accounts[0]), minute(10)); !got.Equal(test.want) {
			t.Errorf("%s: since %s", test.name, got)
		}
	}
}

func TestAValueBeforeThatIsAcceptedIsTestedSlowlyHoweverNewTheOneInUse(t *testing.T) {
	spec, s := beforeAt(Test{Verdict: Accepted, Time: start, Attempt: start})
	if at := s.previousTestAt(spec, s.Previous.Accounts[0]); !at.Equal(start.Add(previousInterval)) {
		t.Errorf("it is tested after %s", at.Sub(start))
	}
}

// People are told when registries last refused all of it, though it may count for nothing.
func TestWhenTheValueBeforeWasLastRefused(t *testing.T) {
	refused := func(at int) Test { return Test{Verdict: Rejected, Since: start, Time: minute(at)} }
	for _, test := range []struct {
		name string
		a, b Test
		same bool // the login at the second registry is in use
		want time.Time
	}{
		{"both refuse it, the second later", refused(1), refused(2), false, minute(2)},
		{"both refuse it, the first later", refused(3), refused(2), false, minute(3)},
		{"the first accepts it", Test{Verdict: Accepted, Time: minute(1)}, refused(2), false, time.Time{}},
		{"the second says nothing", refused(1), Test{}, false, time.Time{}},
		{"the second says nothing of a login that is in use", refused(1), Test{}, true, minute(1)},
	} {
		spec, s := asking()
		w := &world{now: start, obtained: map[string]time.Time{}, two: true}
		s.Previous = &Previous{Value: w.value(3)}
		for i, known := range []Test{test.a, test.b} {
			account := s.Previous.Accounts[i]
			known.Question = spec.Question(account)
			s.Tests[account.Print] = known
		}
		if test.same {
			s.Accounts = append(s.Accounts, s.Previous.Accounts[1])
		}
		if got := s.PreviousRefused(spec); !got.Equal(test.want) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestWhatARegistrySaidInsteadIsKnownOfTheValueBefore(t *testing.T) {
	spec, s := beforeAt(Test{Silent: 2, Said: "503", Attempt: minute(1)})
	if verdict, test := s.OfPrevious(spec); verdict != Unknown || test.Said != "503" {
		t.Errorf("it is %s: %+v", verdict, test)
	}
}
