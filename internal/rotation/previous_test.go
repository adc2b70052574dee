package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatIsSaidOfTheValueBefore(t *testing.T) {
	replaced := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	account := Account{Host: "registry.example", Print: "before"}
	for name, c := range map[string]struct {
		verdict Verdict
		asked   time.Time
		said    Verdict
		testAt  time.Time
	}{
		"accepted while it was in use says nothing, and it is tested soon": {Accepted, replaced.Add(-5 * time.Second), Unknown, replaced.Add(25 * time.Second)},
		"accepted after it was replaced counts, and it is tested slowly":   {Accepted, replaced.Add(time.Minute), Accepted, replaced.Add(11 * time.Minute)},
		"accepted at the moment when it was replaced counts":               {Accepted, replaced, Accepted, replaced.Add(10 * time.Minute)},
		"refused counts, and it is tested slowly":                          {Rejected, replaced.Add(time.Minute), Rejected, replaced.Add(11 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &Spec{Verify: 30 * time.Second}
			s := &State{}
			s.Previous = &Previous{Value: Value{Accounts: []Account{account}}, ReplacedTime: replaced}
			s.Delivered = true
			s.NoteAttempt(account, c.asked)
			s.NoteAnswer(account, spec.Question(account), Answer{Verdict: c.verdict}, c.asked)
			if said, _ := s.OfPrevious(spec); said != c.said {
				t.Errorf("said %s, want %s", said, c.said)
			}
			if at := s.previousTestAt(spec, account); !at.Equal(c.testAt) {
				t.Errorf("tested at %s, want %s", at, c.testAt)
			}
		})
	}
}

func TestWhenTheValueBeforeIsTestedAndHowOften(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct {
		name      string
		delivered bool
		refused   time.Time // since when the value in use is refused
		verify    time.Duration
		known     Test
		want      time.Time
	}{
		{"replaced, and not everywhere yet", false, time.Time{}, verifyPeriod, Test{Verdict: Accepted, Attempt: minute(-60)}, start.Add(previousInterval)},
		{"replaced everywhere", true, time.Time{}, verifyPeriod, Test{Verdict: Accepted, Attempt: minute(-60)}, minute(-60).Add(MinInterval)},
		{"not everywhere yet, and tested a moment before", false, time.Time{}, verifyPeriod, Test{Verdict: Accepted, Attempt: minute(9)}, minute(19)},
		{"tested at the moment when it was replaced", true, time.Time{}, verifyPeriod, Test{Verdict: Accepted, Attempt: start}, minute(10)},
		{"accepted since, with a long period", true, time.Time{}, hour, Test{Verdict: Accepted, Attempt: minute(1)}, minute(61)},
		{"accepted since, with a short period", true, time.Time{}, time.Minute, Test{Verdict: Accepted, Attempt: minute(1)}, minute(11)},
		{"silent since, with a long period", true, time.Time{}, hour, Test{Silent: 20, Attempt: minute(1)}, minute(61)},
		{"silent since, with a short period", true, time.Time{}, time.Minute, Test{Silent: 20, Attempt: minute(1)}, minute(11)},
		{"silent once", true, time.Time{}, time.Minute, Test{Silent: 1, Attempt: minute(1)}, minute(1).Add(MinInterval)},
		{"the value in use is refused since it was tested", false, minute(2), verifyPeriod, Test{Verdict: Accepted, Attempt: minute(1)}, minute(1).Add(MinInterval)},
		{"the value in use was refused at that moment", false, minute(1), hour, Test{Verdict: Accepted, Attempt: minute(1)}, minute(61)},
		{"the value in use is refused, and it was accepted since, with a short period", false, minute(1), time.Minute, Test{Verdict: Accepted, Attempt: minute(2)}, minute(3)},
		{"the value in use is refused, and the registry is silent", false, minute(1), time.Minute, Test{Silent: 20, Attempt: minute(2)}, minute(3)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			w := &world{now: start, obtained: map[string]time.Time{}}
			s.Waiting, s.Previous = nil, &Previous{Value: w.value(3), ReplacedTime: start}
			s.Delivered, spec.Verify = test.delivered, test.verify
			if !test.refused.IsZero() {
				s.know(spec, 1, Test{Verdict: Rejected, Since: test.refused, Time: test.refused, Attempt: test.refused})
			}
			s.know(spec, 3, test.known)
			if got := s.previousTestAt(spec, s.Previous.Accounts[0]); !got.Equal(test.want) {
				t.Errorf("it is tested at %s, want %s", got, test.want)
			}
		})
	}
	t.Run("a login that is in use at both times is tested as the one in use alone", func(t *testing.T) {
		spec, s := asking()
		s.Previous = &Previous{Value: s.Value, ReplacedTime: start}
		if got := s.previousTestAt(spec, s.Accounts[0]); !got.Equal(never) {
			t.Errorf("it is tested at %s", got)
		}
	})
}

// With an account that is locked both values are refused. What the registry then said of the old one says nothing of it once it is unlocked.
func TestARefusalOfTheValueBeforeCountsWhereTheOneInUseWasTakenBeforeAndAfter(t *testing.T) {
	for _, test := range []struct {
		name    string
		refused time.Time // the value before
		inUse   Test
		want    Verdict
	}{
		{"accepted before and after", minute(5), Test{Verdict: Accepted, Since: minute(1), Time: minute(6)}, Rejected},
		{"accepted at the same moment", minute(5), Test{Verdict: Accepted, Since: minute(5), Time: minute(5)}, Rejected},
		{"accepted since later only", minute(5), Test{Verdict: Accepted, Since: minute(6), Time: minute(7)}, Unknown},
		{"not asked since", minute(5), Test{Verdict: Accepted, Since: minute(1), Time: minute(4)}, Unknown},
		{"refused, too", minute(5), Test{Verdict: Rejected, Since: minute(1), Time: minute(6)}, Unknown},
		{"never answered for", minute(5), Test{}, Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			w := &world{now: start, obtained: map[string]time.Time{}}
			s.Waiting, s.Previous = nil, &Previous{Value: w.value(3), ReplacedTime: start}
			s.know(spec, 1, test.inUse)
			s.know(spec, 3, Test{Verdict: Rejected, Since: test.refused, Time: test.refused, Attempt: test.refused})
			if got, _ := s.OfPrevious(spec); got != test.want {
				t.Errorf("it is %s, want %s", got, test.want)
			}
			if ends := s.previousEnds(spec, minute(10)) == EndRefused; ends != (test.want == Rejected) {
				t.Errorf("it ends: %t", ends)
			}
		})
	}
}

func TestAValueBeforeThatWasRefusedIsTestedAgainOnceTheOneInUseIsAccepted(t *testing.T) {
	for _, test := range []struct {
		name  string
		inUse Test
		want  time.Time
	}{
		{"it was accepted later", Test{Verdict: Accepted, Since: minute(2), Time: minute(2)}, minute(1).Add(MinInterval)},
		{"it was accepted before that, too", Test{Verdict: Accepted, Since: minute(0), Time: minute(2)}, minute(11)},
		{"nothing is said of it", Test{Since: minute(2)}, minute(11)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			w := &world{now: start, obtained: map[string]time.Time{}}
			s.Waiting, s.Delivered, s.Previous = nil, true, &Previous{Value: w.value(3), ReplacedTime: start}
			s.know(spec, 1, test.inUse)
			s.know(spec, 3, Test{Verdict: Rejected, Since: minute(1), Time: minute(1), Attempt: minute(1)})
			if got := s.previousTestAt(spec, s.Previous.Accounts[0]); !got.Equal(test.want) {
				t.Errorf("it is tested after %s, want %s", got.Sub(start), test.want.Sub(start))
			}
		})
	}
}

func TestAfterARefusalOfTheValueBeforeTheOneInUseIsAskedAboutOnce(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(2)
	s.revoke(1)
	s.state.Delivered = true
	s.after(2 * MinInterval)
	if s.state.Previous.End != EndRefused {
		t.Errorf("two half minutes after everybody has the new value it is not known that the old one is refused: %+v", s.state.Tests)
	}
}

// An account is locked while the value is rotated, and unlocked later: the old password works again, and nobody may be told that it does not.
func TestTheOldValueIsNotSaidToBeRefusedBecauseTheAccountWasLocked(t *testing.T) {
	s := lockedOut(t)
	s.state.Delivered = true
	s.says("well") // both are taken
	s.hears(2, Accepted)
	if said, _ := s.state.OfPrevious(&s.spec); said == Rejected || s.state.Previous.End != "" {
		t.Errorf("it is said to be %s, and ended: %q", said, s.state.Previous.End)
	}
	s.after(2 * verifyPeriod)
	if said, _ := s.state.OfPrevious(&s.spec); said != Accepted {
		t.Errorf("it is said to be %s", said)
	}
}

func TestAValueBeforeOfWhichEverythingIsInUseIsNotRefused(t *testing.T) {
	spec, s := asking()
	s.Previous = &Previous{Value: s.Value}
	s.know(spec, 1, Test{Verdict: Accepted, Since: start, Time: start})
	if got, _ := s.OfPrevious(spec); got != Unknown {
		t.Errorf("it is %s", got)
	}
}

func TestOneRegistryThatTakesTheValueBeforeIsEnough(t *testing.T) {
	const open = Verdict("")
	for _, test := range []struct {
		name string
		a, b Verdict
		want Verdict
	}{
		{"both refuse it", Rejected, Rejected, Rejected},
		{"the first takes it", Accepted, Rejected, Accepted},
		{"the second takes it", Rejected, Accepted, Accepted},
		{"one says nothing", Rejected, open, Unknown},
		{"the other says nothing", open, Rejected, Unknown},
		{"one takes it and one says nothing", open, Accepted, Accepted},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := replaced(t)
			for host, said := range map[string]Verdict{hostA: test.a, hostB: test.b} {
				if said == open {
					delete(s.state.Tests, accountOf(1, host).Print)
				} else {
					s.sayAt(host, 1, said)
				}
				s.sayAt(host, 2, Accepted)
			}
			if got, decided := s.state.OfPrevious(&s.spec); got != test.want || got != Unknown && decided.Verdict != got {
				t.Errorf("it is %s, because of %+v; want %s", got, decided, test.want)
			}
			s.spec.asked, s.spec.Mode = nil, v1alpha1.VerifyDisabled
			if got, _ := s.state.OfPrevious(&s.spec); got != Unknown {
				t.Errorf("nobody asks, and it is %s", got)
			}
		})
	}
}

// Whoever adds a registry, or takes one away, has rotated nothing: the password that the value before has is the one in use.
func TestAValueOfWhichEachLoginStaysInUseIsNotTheOneBefore(t *testing.T) {
	s := begin(t)
	s.rotate(hostA, hostB)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.two = true
	s.respec()
	s.after(2 * time.Minute)
	if got := versionOf(&s.state.Previous.Value); got != 1 || len(s.state.Accounts) != 2 {
		t.Errorf("a registry was added, and version %d is the one before", got)
	}
	s.two = false
	s.respec()
	s.after(2 * time.Minute)
	if got := versionOf(&s.state.Previous.Value); got != 1 || len(s.state.Accounts) != 1 {
		t.Errorf("a registry was taken away, and version %d is the one before", got)
	}
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	if got := versionOf(&s.state.Previous.Value); got != 2 {
		t.Errorf("the password was rotated, and version %d is the one before", got)
	}
}

// A record that is too large for both values is read without the content of the one before.
func TestAValueBeforeWhoseContentIsNotKeptHasEnded(t *testing.T) {
	s := replaced(t)
	s.state.Previous.Config = nil
	if step := Next(&s.spec, &s.state, s.now); step.Do != DropPrevious || step.End != EndNotKept {
		t.Fatalf("the step is %+v", step)
	}
	s.state.DropPrevious(EndNotKept)
	if step := Next(&s.spec, &s.state, s.now); step.Do == DropPrevious {
		t.Error("it ends again")
	}
}
