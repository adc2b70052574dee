package rotation

import (
	"testing"
	"time"
)

func TestAPersonWhoAsksForAReadHasARefusedLoginTestedAgain(t *testing.T) {
	refused := func(t *testing.T) *script { // version 2 waits, was refused four times, and is not tested for minutes
		s := begin(t)
		s.rotate()
		s.after(5 * time.Minute)
		s.inUse(1)
		if at := s.state.waitingTestAt(&s.spec, s.state.Waiting, s.state.Waiting.Accounts[0]); !at.After(s.now.Add(MinInterval)) {
			t.Fatalf("it is tested in %s, asked for or not", at.Sub(s.now))
		}
		return s
	}
	t.Run("the value that waits is in use within half a minute of the request", func(t *testing.T) {
		s := refused(t)
		s.takes[hostA][2], s.takes[hostB][2] = true, true
		s.spec.RefreshRequest = "now"
		s.after(MinInterval + 5*time.Second)
		s.inUse(2)
		s.isHandled("now")
	})
	t.Run("the request is not handled before the registry was asked", func(t *testing.T) {
		s := refused(t)
		account := s.state.Waiting.Accounts[0]
		s.state.NoteAttempt(account, s.now)
		s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Rejected}, s.now)
		delete(s.state.Testing, account.Print)
		s.after(time.Second)
		s.spec.RefreshRequest = "now"
		s.after(time.Second)
		if handled, known := s.state.Handled(&s.spec); known {
			t.Fatalf("%q counts as handled a second after a test", handled)
		}
		s.after(MinInterval)
		s.isHandled("now")
	})
	t.Run("the request is not handled while the registry is asked", func(t *testing.T) {
		s := refused(t)
		s.spec.RefreshRequest, s.state.Reads.Request, s.state.Reads.RequestTime = "now", "now", s.now
		for i, account := range s.state.Waiting.Accounts {
			s.state.NoteAttempt(account, s.now.Add(time.Second))
			if handled, known := s.state.Handled(&s.spec); known {
				t.Errorf("%q counts as handled while registry %d is asked, which refused the login before", handled, i)
			}
		}
		for _, account := range s.state.Waiting.Accounts {
			s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Accepted}, s.now.Add(20*time.Second))
		}
		s.isHandled("now")
	})
	t.Run("a registry that wants to be left alone is not waited for", func(t *testing.T) {
		s := refused(t)
		for print, test := range s.state.Tests {
			test.NotBefore = s.now.Add(5 * time.Minute)
			s.state.Tests[print] = test
		}
		s.spec.RefreshRequest = "now"
		s.after(time.Second)
		s.isHandled("now")
	})
	t.Run("one request has it tested once", func(t *testing.T) {
		s := refused(t)
		s.spec.RefreshRequest = "now"
		s.after(time.Minute)
		account := s.state.Waiting.Accounts[0]
		if at := s.state.waitingTestAt(&s.spec, s.state.Waiting, account); at.Before(s.state.Tests[account.Print].Attempt.Add(2 * MinInterval)) {
			t.Errorf("after the one for the request the next is %s later", at.Sub(s.state.Tests[account.Print].Attempt))
		}
	})
	t.Run("the value in use is tested again, too", func(t *testing.T) {
		s := begin(t)
		s.revoke(1)
		s.state.DoubtTime = s.now
		s.after(10 * time.Minute)
		account := s.state.Accounts[0]
		before := s.state.inUseTestAt(&s.spec, account, s.now)
		s.state.Reads.RequestTime = s.now
		if after := s.state.inUseTestAt(&s.spec, account, s.now); !after.Before(before) || !after.Equal(s.state.soon(account)) {
			t.Errorf("it is tested at %s, without the request at %s", after, before)
		}
	})
	t.Run("what the registry accepts is not asked about for a request", func(t *testing.T) {
		s := begin(t)
		account := s.state.Accounts[0]
		before := s.state.inUseTestAt(&s.spec, account, s.now)
		s.state.Reads.RequestTime = s.now
		if after := s.state.inUseTestAt(&s.spec, account, s.now); !after.Equal(before) {
			t.Errorf("it is tested at %s, without the request at %s", after, before)
		}
	})
}

func TestARequestWhoseReadFailsIsHandledAndSaysSo(t *testing.T) {
	s := lagging(t)
	s.sourceFails = true
	s.spec.RefreshRequest = "now"
	s.after(time.Second)
	s.isHandled("now")
	s.sourceFails = false
	s.after(3 * time.Minute)
	s.isHandled("now")
	s.spec.RefreshRequest = "later"
	if handled, _ := s.state.Handled(&s.spec); handled != "now" {
		t.Errorf("%q counts as handled before anything was asked for it", handled)
	}
	s.spec.RefreshRequest = "" // somebody took the annotation away after a read for it failed
	if handled, known := s.state.Handled(&s.spec); known {
		t.Errorf("where nobody asks, %q counts as handled", handled)
	}
}

func (s *script) isHandled(request string) {
	s.t.Helper()
	if handled, known := s.state.Handled(&s.spec); handled != request || !known {
		s.t.Errorf("%q is handled (known: %t), want %q", handled, known, request)
	}
}
