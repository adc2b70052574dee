package rotation

import (
	"maps"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// beginTest notes that a registry is about to be asked about an account, and nothing more: the process ends before it answers.
func (s *script) beginTest(account Account) {
	s.t.Helper()
	next := s.state.Clone()
	next.NoteAttempt(account, s.now)
	if !s.keep(next) {
		s.t.Fatal("the record is not kept")
	}
}

// A test under way is kept before it is made. Where the process ended before its answer came, nothing was said of the value: it is neither
// accepted nor asked about, and not published by that.
func TestATestThatACrashEndedDoesNotCountAsAsked(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(s *script)
		lost    func(s *script) Account
	}{
		{"of the new value, without a hold", func(s *script) {
			s.spec.Hold = 0
			account := s.state.Accounts[0]
			s.state.NoteAttempt(account, s.now)
			s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Unknown, Message: "429"}, s.now)
		}, func(s *script) Account { return s.state.Waiting.Accounts[0] }},
		{"of the new value, and the value in use is refused", func(s *script) {
			account := s.state.Accounts[0]
			s.state.NoteAttempt(account, s.now)
			s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Rejected}, s.now)
		}, func(s *script) Account { return s.state.Waiting.Accounts[0] }},
		{"of a first value, without a hold", func(s *script) {
			s.spec.Hold, s.state.Value, s.state.Previous = 0, Value{}, nil
		}, func(s *script) Account { return s.state.Waiting.Accounts[0] }},
		{"of the value in use, without a hold", func(s *script) {
			s.spec.Hold = 0
			account := s.state.Waiting.Accounts[0]
			s.state.NoteAttempt(account, s.now)
			s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Unknown, Message: "429"}, s.now)
		}, func(s *script) Account { return s.state.Accounts[0] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.now = s.now.Add(time.Minute)
			s.rotate()
			next := s.state.Clone()
			next.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
			s.keep(next)
			c.prepare(s)
			lost := c.lost(s)
			s.beginTest(lost)
			s.restart()
			s.now = s.now.Add(2 * time.Second)
			next = s.state.Clone()
			next.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
			s.keep(next)
			s.fate(Hold)
			for _, test := range s.state.tests(&s.spec, s.now) {
				if test.account.Print == lost.Print && test.at.After(s.now.Add(MinInterval)) {
					t.Errorf("it is asked again after %s", test.at.Sub(s.now))
				}
			}
		})
	}
}

func TestAnAsideEndsNoTestOfItsOwn(t *testing.T) {
	s := begin(t)
	account := s.state.Accounts[0]
	question := s.spec.Question(account)
	s.now = s.now.Add(time.Minute)
	s.beginTest(account)
	s.state.NoteAside(account, question, Answer{Verdict: Accepted, Proof: ProofLogin}, s.now)
	if !s.state.testing(account.Print, s.now) {
		t.Error("the test that is under way counts as ended")
	}
}

func TestARegistryThatWantsToBeLeftAloneIsAlsoWithAnotherQuestion(t *testing.T) {
	s := begin(t)
	account := s.state.Accounts[0]
	s.state.NoteAttempt(account, s.now)
	s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Unknown, RetryAfter: 5 * time.Minute}, s.now)
	s.spec.asked, s.spec.Mode = nil, v1alpha1.VerifyLogin
	if at := s.state.inUseTestAt(&s.spec, account, s.now); at.Before(s.now.Add(5 * time.Minute)) {
		t.Errorf("it is asked after %s", at.Sub(s.now))
	}
}

// Each value that is minted lives shorter than the hold: the hold is of the registry's silence, and not of one of them.
func TestMintedValuesThatLiveShorterThanTheHoldArePublishedAllTheSame(t *testing.T) {
	s := &script{newWorld(1), t}
	s.minted = true
	s.spec.Hold = lifetime
	s.says("503")
	s.after(lifetime / 2)
	if s.state.Published() {
		t.Error("it is published before the hold is over")
	}
	s.after(lifetime)
	if !s.state.Published() {
		t.Errorf("nothing is published though the hold is over; what waits was first seen %s ago", s.now.Sub(s.state.Waiting.FirstSeen))
	}
}

// What a registry limits is the address that asks, and not one login.
func TestARegistryThatWantsToBeLeftAloneIsNotAskedAboutAnotherLogin(t *testing.T) {
	s := begin(t)
	s.two = true
	s.respec()
	s.after(2 * time.Minute)
	account := s.state.Accounts[0]
	s.state.NoteAttempt(account, s.now)
	s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Unknown, RetryAfter: 5 * time.Minute}, s.now)
	s.waits(2)
	asked := map[string]time.Duration{}
	for _, due := range s.state.tests(&s.spec, s.now) {
		if v := (Value{Accounts: []Account{due.account}}); versionOf(&v) == 2 {
			asked[due.account.Host] = max(due.at.Sub(s.now), 0)
		}
	}
	if want := map[string]time.Duration{hostA: 5 * time.Minute, hostB: 0}; !maps.Equal(asked, want) {
		t.Errorf("the new value is tested after %v, want %v", asked, want)
	}
	s.state.DoubtTime = s.now.Add(time.Second)
	if at := s.state.inUseTestAt(&s.spec, account, s.now); at.Before(s.now.Add(5 * time.Minute)) {
		t.Errorf("the value in use is tested after %s", at.Sub(s.now))
	}
}
