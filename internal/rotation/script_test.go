package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// script is a world in which a test says what happens. The model's invariants hold all the while.
type script struct {
	*world
	t *testing.T
}

// begin returns a world in which version 1 is in use and accepted.
func begin(t *testing.T) *script {
	t.Helper()
	s := &script{newWorld(1), t}
	s.after(time.Minute)
	s.inUse(1)
	return s
}

// after lets time go by.
func (s *script) after(span time.Duration) {
	s.t.Helper()
	s.spec.asked = nil
	if err := s.pass(span); err != nil {
		s.t.Fatal(err)
	}
}

// rotate stores a new version in the source, which the given hosts take beside the old one.
func (s *script) rotate(takenBy ...string) {
	s.store(false)
	for _, host := range takenBy {
		s.takes[host][s.current] = true
	}
}

func (s *script) revoke(version int) {
	for _, takes := range s.takes {
		delete(takes, version)
	}
}

// says has all registries answer in one way.
func (s *script) says(how string) {
	for host := range s.hosts {
		s.hosts[host] = how
	}
}

func (s *script) inUse(version int) {
	s.t.Helper()
	if versionOf(&s.state.Value) != version {
		s.t.Fatalf("version %d is in use, want %d; waiting is %+v", versionOf(&s.state.Value), version, s.state.Waiting)
	}
}

// hears has the first registry say something of a version now.
func (s *script) hears(version int, verdict Verdict) {
	account := accountOf(version, hostA)
	question, answer := s.spec.Question(account), Answer{Verdict: verdict, Message: string(verdict)}
	s.state.NoteAnswer(account, question, answer, s.now)
	s.hear(landed{flight{account: account, question: question}, answer})
}

// verdict expects what is known of the value in use.
func (s *script) verdict(want Verdict) {
	s.t.Helper()
	if got, test := s.state.Of(&s.spec, &s.state.Value); got != want {
		s.t.Fatalf("the value in use is %s, want %s: %+v", got, want, test)
	}
}

// fate expects what becomes of the value that waits.
func (s *script) fate(want Fate) {
	s.t.Helper()
	if got, waits := s.state.Judge(&s.spec, s.now); !waits || got.Fate != want {
		s.t.Fatalf("a value waits: %t, its fate is %q, want %s", waits, got.Fate, want)
	}
}

// start is when the tests that need no world begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// accountOf is the account of a version at a host, as the world makes it.
func accountOf(version int, host string) Account {
	w := &world{spec: Spec{}, now: start, two: host == hostB}
	for _, account := range w.value(version).Accounts {
		if account.Host == host {
			return account
		}
	}
	panic("no such host")
}

// leaseOf is a lease of a day, obtained at a time.
func leaseOf(id string, at time.Time) *source.Lease {
	return &source.Lease{ID: id, Duration: 24 * time.Hour, Obtained: at}
}
