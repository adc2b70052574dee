package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// replaced returns a world in which version 2 replaced version 1, which both registries of the spec still take.
func replaced(t *testing.T) *script {
	t.Helper()
	s := begin(t)
	s.two = true
	s.respec()
	s.after(2 * time.Minute)
	s.rotate(hostA, hostB)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.verdict(Accepted)
	return s
}

func TestWhenTheValueBeforeEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script)
		want   End
	}{
		{"nothing happened", func(*script) {}, ""},
		{"its own end has passed", func(s *script) { s.state.Previous.ExpireTime = s.now }, EndExpired},
		{"its own end is near", func(s *script) { s.state.Previous.ExpireTime = s.now.Add(time.Second) }, ""},
		{"its lease was given back", func(s *script) { s.state.Previous.Lease = leaseOf("old", s.now) }, EndExpired},
		{"its lease is still to be given back", func(s *script) {
			s.state.Previous.Lease = leaseOf("old", s.now)
			s.state.Obsolete = []Lease{{Lease: *leaseOf("old", s.now)}}
		}, ""},
		{"one registry of two refuses it", func(s *script) { s.say(1, Rejected, 0) }, ""},
		{"both refuse it", func(s *script) {
			s.sayAt(hostB, 1, Rejected)
			s.say(1, Rejected, 0)
			s.sayAt(hostB, 2, Accepted)
			s.say(2, Accepted, 0)
		}, EndRefused},
		{"both refuse it, and one was not asked about the value in use since", func(s *script) {
			s.sayAt(hostB, 1, Rejected)
			s.say(1, Rejected, 0)
			s.say(2, Accepted, 0)
		}, ""},
		{"both refuse both", func(s *script) {
			s.sayAt(hostB, 1, Rejected)
			s.say(1, Rejected, 0)
			s.say(2, Rejected, 0)
		}, ""},
		{"one registry refuses it, and has the same login in use at the other", func(s *script) {
			s.say(1, Rejected, 0)
			s.say(2, Accepted, 0)
			s.state.Previous.Accounts[1] = s.state.Accounts[1]
		}, EndRefused},
		{"so, and the other refuses the login in use", func(s *script) {
			s.say(1, Rejected, 0)
			s.say(2, Accepted, 0)
			s.state.Previous.Accounts[1] = s.state.Accounts[1]
			s.sayAt(hostB, 2, Rejected)
		}, ""},
		{"a day has passed", func(s *script) { s.state.Previous.ReplacedTime = s.now.Add(-PreviousKept) }, EndNotKept},
		{"a day has not passed", func(s *script) { s.state.Previous.ReplacedTime = s.now.Add(time.Second - PreviousKept) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := replaced(t)
			test.change(s)
			if got := s.state.previousEnds(&s.spec, s.now); got != test.want {
				t.Errorf("it ends as %q, want %q", got, test.want)
			}
		})
	}
}

// sayAt has one registry say something of a version.
func (s *script) sayAt(host string, version int, verdict Verdict) {
	account := accountOf(version, host)
	s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: verdict}, s.now)
}

func TestALoginThatIsInUseAtBothTimesSaysNothingOfARestore(t *testing.T) {
	s := replaced(t)
	s.state.Previous.Accounts[1] = s.state.Accounts[1] // version 2 is at the second registry what version 1 was
	s.say(2, Rejected, 0)
	s.say(1, Accepted, 0)
	s.sayAt(hostB, 2, Rejected)
	if !s.state.restores(&s.spec) {
		t.Error("it does not go back where that helps at one registry")
	}
	s.say(2, Accepted, 0)
	if s.state.restores(&s.spec) {
		t.Error("it goes back where that changes nothing")
	}
}

func TestAValueWhoseLeaseIsGoneIsNotRestoredThoughItIsAccepted(t *testing.T) {
	s := replaced(t)
	s.say(2, Rejected, 0)
	for _, host := range []string{hostA, hostB} {
		s.sayAt(host, 1, Accepted)
	}
	if !s.state.restores(&s.spec) {
		t.Fatal("it does not go back")
	}
	s.state.Previous.Lease = leaseOf("gone", s.now)
	if s.state.restores(&s.spec) {
		t.Error("it goes back to a value whose lease was given back")
	}
}

func TestAValueThatNeverWorkedPushesOutNoneBefore(t *testing.T) {
	s := replaced(t)
	s.state.VerifiedTime = time.Time{}
	s.state.replace(s.value(3), s.now)
	if got := versionOf(&s.state.Previous.Value); got != 1 {
		t.Errorf("version %d is the one before", got)
	}
	s.state.VerifiedTime = s.now
	s.state.replace(s.value(4), s.now)
	if got := versionOf(&s.state.Previous.Value); got != 3 {
		t.Errorf("version %d is the one before", got)
	}
	s.state.DropPrevious(EndNotKept) // what is not kept any more cannot be gone back to
	s.state.VerifiedTime = time.Time{}
	s.state.replace(s.value(5), s.now)
	if got := versionOf(&s.state.Previous.Value); got != 4 {
		t.Errorf("version %d is the one before", got)
	}
}

func TestWhenTheValueBeforeIsTested(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script, test *Test)
		want   time.Duration
	}{
		{"it is everywhere replaced: slowly", func(s *script, _ *Test) { s.state.Delivered = true }, previousInterval},
		{"the value in use is refused since: as soon as may be", func(s *script, _ *Test) {
			s.state.NoteAnswer(s.state.Accounts[0],
				s.spec.Question(s.state.Accounts[0]), Answer{Verdict: Rejected}, s.now.Add(time.Second))
		}, MinInterval},
		{"so, and the registry asks to be left alone", func(s *script, test *Test) {
			test.NotBefore = s.now.Add(5 * time.Minute)
			s.state.NoteAnswer(s.state.Accounts[0], s.spec.Question(s.state.Accounts[0]), Answer{Verdict: Rejected}, s.now.Add(time.Second))
		}, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := replaced(t)
			account := s.state.Previous.Accounts[0]
			known := s.state.Tests[account.Print]
			known.Attempt, known.Time = s.now, s.now
			test.change(s, &known)
			s.state.Tests[account.Print] = known
			if got := s.state.previousTestAt(&s.spec, account).Sub(s.now); got != test.want {
				t.Errorf("it is tested after %s, want %s", got, test.want)
			}
		})
	}
}

// What cannot be gone back to protects nothing: the value before is then the one that was in use last, of which people are told whether
// it may be revoked.
func TestAValueBeforeThatNeverWorkedIsPushedOut(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(s *script)
	}{
		{"without verification", func(s *script) { s.spec.asked, s.spec.Mode = nil, v1alpha1.VerifyDisabled }},
		{"where the registry says nothing of any", func(s *script) { s.says("503") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{newWorld(1), t}
			c.prepare(s)
			s.after(5 * time.Minute)
			s.inUse(1)
			for version := 2; version <= 3; version++ {
				s.rotate()
				s.after(refresh + 5*time.Minute)
				s.inUse(version)
				if before := versionOf(&s.state.Previous.Value); before != version-1 {
					t.Errorf("the value before %d is %d", version, before)
				}
			}
		})
	}
}

// A value that never worked was in use for a while: the one before it is in use again, and is not the one before.
func TestAValueThatIsInUseAgainIsNotTheOneBefore(t *testing.T) {
	s := replaced(t)
	s.state.VerifiedTime = time.Time{}
	s.state.replace(s.value(1), s.now)
	if s.state.Previous == nil || versionOf(&s.state.Previous.Value) != 2 {
		t.Errorf("the one before is %+v", s.state.Previous)
	}
	both := s.value(3)
	for key, login := range s.state.Previous.Config {
		both.Config["other."+key] = login
	}
	for key, login := range s.state.Config {
		both.Config["third."+key] = login
	}
	s.state.replace(both, s.now)
	if s.state.Previous != nil {
		t.Errorf("every login is in use, and the one before is version %d", versionOf(&s.state.Previous.Value))
	}
}

// An account that is locked has both refused: each refusal of the value before has the registry asked about the one in use after it.
func TestEachRefusalOfTheValueBeforeHasTheOneInUseAskedAbout(t *testing.T) {
	s := replaced(t)
	s.say(1, Rejected, -10*time.Minute)
	s.say(2, Accepted, -5*time.Minute)
	s.say(1, Rejected, 0)
	account := accountOf(2, hostA)
	if got := s.state.refusedBefore(&s.spec, account, s.state.test(&s.spec, account)); !got.Equal(s.now) {
		t.Errorf("an answer is wanted since %s ago", s.now.Sub(got))
	}
}

// While the value in use is refused the one before may be what is needed: a test of it that a crash ended is made again, and not a period later.
func TestATestOfTheValueBeforeThatACrashEndedIsMadeAgain(t *testing.T) {
	s := replaced(t)
	s.say(1, Accepted, -5*time.Minute)
	s.say(2, Rejected, -time.Minute)
	account := accountOf(1, hostA)
	s.state.NoteAttempt(account, s.now)
	s.state.Testing = nil
	if got := s.state.previousTestAt(&s.spec, account); !got.Equal(s.now.Add(MinInterval)) {
		t.Errorf("it is made again after %s", got.Sub(s.now))
	}
}
