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
			s.NoteAttempt(account, spec.Question(account), c.asked)
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
