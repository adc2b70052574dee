package rotation

import (
	"fmt"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestASuspendedObjectRestsWithoutAnEnd(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.state.Obsolete = []Lease{{Lease: *leaseOf("old", s.now)}}
	s.spec.Suspended = true
	if step := Next(&s.spec, &s.state, s.now.Add(24*time.Hour)); step.Do != Rest || !step.Until.IsZero() {
		t.Errorf("the step is %+v", step)
	}
	before := s.steps
	s.after(24 * time.Hour)
	if s.steps != before {
		t.Errorf("%d steps", s.steps-before)
	}
	s.spec.Suspended = false
	s.after(time.Minute)
	s.inUse(2)
}

func TestAShorterRefreshPeriodCountsAtOnce(t *testing.T) {
	s := begin(t)
	s.spec.Refresh = 24 * time.Hour
	s.after(time.Hour)
	s.rotate(hostA)
	s.after(time.Hour)
	s.inUse(1)
	s.spec.Refresh = refresh
	s.after(30 * time.Second)
	s.inUse(2)
}

func TestOneRefusedPodHasNothingMinted(t *testing.T) {
	for _, mode := range []v1alpha1.VerificationMode{v1alpha1.VerifyPull, v1alpha1.VerifyLogin} {
		t.Run(string(mode), func(t *testing.T) {
			s := leasing(t)
			s.spec.Mode = mode
			s.after(time.Minute)
			minted := s.leases
			for range 60 { // a look at the pods each minute
				s.state.DoubtTime = s.now
				s.after(time.Minute)
			}
			if s.leases != minted {
				t.Errorf("%d values were minted", s.leases-minted)
			}
			if test := s.state.Tests[s.state.Accounts[0].Print]; s.now.Sub(test.Time) > 2*time.Minute {
				t.Error("the registry was not asked about the doubt")
			}
			s.revoke(1)
			s.state.DoubtTime = s.now
			s.after(2 * time.Minute)
			if s.leases == minted {
				t.Error("the registry refuses the value, and the source was not read")
			}
		})
	}
}

func TestManyRefusedPodsHaveTheRegistryAskedOnceInHalfAMinute(t *testing.T) {
	s := begin(t)
	print, asked := s.state.Accounts[0].Print, map[time.Time]bool{}
	for range 10 * 60 { // a pod each second, for ten minutes
		s.state.DoubtTime = s.now
		s.after(time.Second)
		asked[s.state.Tests[print].Attempt] = true
	}
	if len(asked) < 10 || len(asked) > 21 {
		t.Errorf("the registry was asked %d times in ten minutes", len(asked))
	}
}

// Each refused pod would bring a test of a refused password, and the account its lock.
func TestADoubtAboutAValueThatIsKnownToBeRefusedAsksNobody(t *testing.T) {
	s := begin(t)
	account := s.state.Accounts[0]
	for range 4 { // so that the next test is due in four minutes
		s.state.NoteAttempt(account, s.now)
		s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Rejected}, s.now)
	}
	due := s.state.inUseTestAt(&s.spec, account, s.now)
	for i := range 100 { // a refused pod each second
		s.state.DoubtTime = s.now.Add(time.Duration(i+1) * time.Second)
		if at := s.state.inUseTestAt(&s.spec, account, s.state.DoubtTime); !at.Equal(due) || due.Sub(s.now) != 4*time.Minute {
			t.Fatalf("it is tested after %s, and without a doubt after %s", at.Sub(s.now), due.Sub(s.now))
		}
	}
}

func TestAWrongPasswordIsShownToARegistryEverMoreRarely(t *testing.T) {
	account := accountOf(1, hostA)
	spec := &Spec{Mode: v1alpha1.VerifyPull, Verify: 10 * time.Minute}
	for _, test := range []struct {
		name    string
		answers []Verdict
		retry   time.Duration
		want    time.Duration
	}{
		{"accepted once", []Verdict{Accepted}, 0, 10 * time.Minute},
		{"refused once", []Verdict{Rejected}, 0, 30 * time.Second},
		{"refused twice", []Verdict{Rejected, Rejected}, 0, time.Minute},
		{"refused four times", []Verdict{Rejected, Rejected, Rejected, Rejected}, 0, 4 * time.Minute},
		{"refused ten times", []Verdict{Rejected, Rejected, Rejected, Rejected, Rejected, Rejected, Rejected, Rejected, Rejected, Rejected}, 0, 10 * time.Minute},
		{"a refusal after an acceptance counts from the beginning", []Verdict{Rejected, Rejected, Rejected, Accepted, Rejected}, 0, 30 * time.Second},
		{"silent once", []Verdict{Unknown}, 0, 30 * time.Second},
		{"silent three times", []Verdict{Unknown, Unknown, Unknown}, 0, 2 * time.Minute},
		{"silent after an acceptance", []Verdict{Accepted, Unknown}, 0, 30 * time.Second},
		{"silent for ever", []Verdict{Unknown, Unknown, Unknown, Unknown, Unknown, Unknown}, 0, 5 * time.Minute},
		{"the registry asks to be left alone", []Verdict{Unknown}, 7 * time.Minute, 7 * time.Minute},
		{"for a day", []Verdict{Unknown}, 24 * time.Hour, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s State
			for _, verdict := range test.answers {
				s.NoteAttempt(account, start)
				s.NoteAnswer(account, spec.Question(account), Answer{Verdict: verdict, RetryAfter: test.retry}, start)
			}
			if got := s.testAt(spec, account, spec.Verify, 5*time.Minute).Sub(start); got != test.want {
				t.Errorf("it is asked after %s, want %s", got, test.want)
			}
		})
	}
}

func TestATestUnderWayIsNotMadeTwiceAndOneThatIsLostIs(t *testing.T) {
	s := begin(t)
	account := s.state.Accounts[0]
	s.state.NoteAttempt(account, s.now)
	if due := s.state.tests(&s.spec, s.now.Add(testLimit-time.Second)); len(due) != 0 {
		t.Errorf("it is made again while it runs: %v", due)
	}
	step := Next(&s.spec, &s.state, s.now.Add(time.Second))
	if step.Do != Rest || step.Until.After(s.now.Add(testLimit)) {
		t.Errorf("nobody looks when it counts as lost: %+v", step)
	}
	if due := s.state.tests(&s.spec, s.now.Add(testLimit)); len(due) != 1 {
		t.Errorf("a test that was lost is not made again: %v", due)
	}
}

func TestTheMostUrgentTestIsMadeFirst(t *testing.T) {
	s := begin(t)
	s.two, s.third = true, true
	s.respec()
	s.after(2 * time.Minute)
	for i, account := range s.state.Accounts {
		test := s.state.Tests[account.Print]
		test.Attempt = s.now.Add(time.Duration(i) * -time.Hour)
		s.state.Tests[account.Print] = test
	}
	var order []string
	for _, due := range s.state.tests(&s.spec, s.now) {
		order = append(order, due.account.Host)
	}
	if want := fmt.Sprint([]string{hostC, hostB, hostA}); fmt.Sprint(order) != want {
		t.Errorf("the order is %v", order)
	}
}

func TestTheValueBeforeIsTestedSlowly(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(2)
	s.state.Delivered = true
	before := accountOf(1, hostA)
	asked := map[time.Time]bool{}
	for range 60 {
		s.after(time.Minute)
		asked[s.state.Tests[before.Print].Attempt] = true
	}
	if len(asked) < 4 || len(asked) > 8 {
		t.Errorf("in an hour the registry was asked %d times about the value before", len(asked))
	}
	for first := range asked {
		for second := range asked {
			if d := first.Sub(second); d != 0 && d.Abs() < previousInterval {
				t.Errorf("it was asked again after %s", d)
			}
		}
	}
}
