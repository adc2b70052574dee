package rotation

import (
	"testing"
	"time"
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
		"refused counts": {Rejected, replaced.Add(time.Minute), Rejected, replaced.Add(90 * time.Second)},
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
