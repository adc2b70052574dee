package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/racedetector"
)

// renewing returns a world whose values are leased and prolonged up to longestLease, with one in use everywhere.
func renewing(t *testing.T) *script {
	t.Helper()
	s := &script{newWorld(1), t}
	s.minted, s.renewable = true, true
	s.respec()
	s.after(time.Minute)
	s.inUse(1)
	s.state.Delivered = true
	return s
}

func (s *script) made(want int) {
	s.t.Helper()
	if s.leases != want {
		s.t.Fatalf("%d values were made, want %d; %d renewals; in use is %+v", s.leases, want, s.renewals, s.state.Lease)
	}
}

func TestARenewableLeaseLivesToItsMaximum(t *testing.T) {
	s := renewing(t)
	first, digest := s.state.Lease.ID, s.state.Digest
	s.after(longestLease - lifetime/2)
	s.made(1)
	if s.state.Digest != digest || s.renewals < 3 || s.renewals > 6 {
		t.Errorf("after %d renewals another value is in use: %t", s.renewals, s.state.Digest != digest)
	}
	for s.leases == 1 {
		s.after(time.Minute)
	}
	if left := s.ends[first].Sub(s.now); left < lifetime/6 || left > lifetime/3 {
		t.Errorf("the next value is made %s before the end of the lease", left)
	}
	if s.released[first] {
		t.Error("the old lease is given back before the new value is everywhere")
	}
	s.state.Delivered = true
	s.after(time.Minute)
	if !s.released[first] || s.state.Lease.ID == first {
		t.Errorf("in use is %s, given back are %v", s.state.Lease.ID, s.released)
	}
	s.made(2)
}

func TestARestartMakesNothingWhateverTheLeaseIsAt(t *testing.T) {
	s := renewing(t)
	for range 20 {
		s.restart()
		s.state.Delivered = true
		s.after(time.Minute)
		s.restart()
		s.after(80 * time.Minute)
	}
	s.made(1)
	s.renewFails = true
	s.after(6 * time.Hour) // it is being tried
	s.restart()
	s.after(time.Minute)
	s.renewFails = false
	s.after(10 * time.Minute)
	s.made(1)
}

func TestALeaseThatIsNotProlongedIsReplacedAtOnce(t *testing.T) {
	s := renewing(t)
	s.ends[s.state.Lease.ID] = s.now // somebody revoked it, and the registry has not noticed
	s.after(lifetime * 7 / 10)
	s.made(2)
	s.after(lifetime * 6 / 10)
	s.made(2)
}

func TestALeaseOfASourceThatFailsIsProlongedWhenItIsBack(t *testing.T) {
	s := renewing(t)
	s.sourceFails = true
	s.after(lifetime * 7 / 10)
	tried := s.steps
	s.after(time.Hour)
	if tries := s.steps - tried; tries > 60 {
		t.Errorf("%d steps in an hour of failures", tries)
	}
	s.sourceFails = false
	s.after(10 * time.Minute)
	s.made(1)
	if s.renewals != 1 || len(s.state.Renewals) != 0 {
		t.Errorf("%d renewals, failures that are remembered: %v", s.renewals, s.state.Renewals)
	}
}

func TestALeaseThatCannotBeProlongedForLongIsReplacedBeforeItsEnd(t *testing.T) {
	s := renewing(t)
	s.renewFails = true
	end := s.state.ExpireTime
	for s.leases == 1 {
		s.after(time.Minute)
	}
	if left := end.Sub(s.now); left < lifetime/8 || left > lifetime/5 {
		t.Errorf("the next value is made %s before the end", left)
	}
}

func TestALeaseOfAnEarlierVersionIsLeftToItsEnd(t *testing.T) {
	s := renewing(t)
	lease := *s.state.Lease
	lease.Term = 0
	s.state.Lease, s.stored.Lease = &lease, &lease
	delete(s.ends, lease.ID)
	s.after(lifetime * 7 / 10)
	s.made(2)
	if s.renewals != 0 {
		t.Errorf("it was prolonged %d times", s.renewals)
	}
}

func TestWhatARenewalGains(t *testing.T) {
	at := start
	given := source.Lease{ID: "a", Renewable: true, Term: time.Hour, Duration: time.Hour, Obtained: at}
	for _, test := range []struct {
		name   string
		change func(*source.Lease)
		spent  bool
		ends   time.Duration // after at
	}{
		{"a whole term", func(*source.Lease) {}, false, 100 * time.Minute},
		{"what is left of its maximum", func(l *source.Lease) { l.Duration = 30 * time.Minute }, false, 70 * time.Minute},
		{"nothing", func(l *source.Lease) { l.Duration = 20 * time.Minute }, true, time.Hour},
		{"a twentieth of what it had", func(l *source.Lease) { l.Duration = 23 * time.Minute }, true, 63 * time.Minute},
		{"a second more than that", func(l *source.Lease) { l.Duration = 23*time.Minute + time.Second }, false, 63*time.Minute + time.Second},
		{"a minute", func(l *source.Lease) { l.Duration = 21 * time.Minute }, true, 61 * time.Minute},
		{"less than it had", func(l *source.Lease) { l.Duration = time.Minute }, true, 41 * time.Minute},
		{"a term, and the login ends as before", func(l *source.Lease) { l.LoginEnds = at.Add(time.Hour) }, true, time.Hour},
		{"a term, and the credential ends as before", func(l *source.Lease) { l.Limit = at.Add(time.Hour) }, true, time.Hour},
		{"a term, for the last time", func(l *source.Lease) { l.Renewable = false }, false, 100 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := State{Kept: Kept{Value: Value{Lease: &given, ExpireTime: given.End()}}}
			renewed := given
			renewed.Obtained = at.Add(40 * time.Minute)
			test.change(&renewed)
			s.NoteRenewed(renewed)
			if s.Lease.Spent != test.spent || !s.ExpireTime.Equal(at.Add(test.ends)) {
				t.Errorf("spent: %t, ends after %s; want %t, %s", s.Lease.Spent, s.ExpireTime.Sub(at), test.spent, test.ends)
			}
			if given.Obtained != at || given.Spent {
				t.Error("a lease that other states share was changed")
			}
		})
	}
}

func TestALeaseThatAWrongClockProlongedEndsNoLater(t *testing.T) {
	s := renewing(t)
	lease := *s.state.Lease
	lease.Obtained = s.now.Add(1000 * time.Hour)
	s.state.Lease, s.state.ExpireTime = &lease, lease.End()
	s.state.Correct(s.now)
	if end := s.now.Add(lifetime); !s.state.ExpireTime.Equal(end) || !s.state.Lease.End().Equal(end) {
		t.Errorf("it ends %s after now", s.state.ExpireTime.Sub(s.now))
	}
}

func TestAValueThatWaitsHasItsLeaseProlonged(t *testing.T) {
	racedetector.Skip(t)
	s := renewing(t)
	s.mute = 2
	s.mint()
	s.fate(HoldOn)
	first, second := s.state.Lease.ID, s.state.Waiting.Lease.ID
	s.after(2 * lifetime)
	s.made(2)
	s.inUse(1)
	if s.state.Lease.ID != first || s.state.Waiting == nil || s.state.Waiting.Lease.ID != second || s.renewals < 4 {
		t.Errorf("in use is %s, waiting is %+v, after %d renewals", s.state.Lease.ID, s.state.Waiting, s.renewals)
	}
}

func TestAnAnnouncedRotationIsLookedAtAndNothingIsMade(t *testing.T) {
	s := begin(t)
	s.spec.Refresh = time.Hour
	value := s.value(1)
	value.RotateTime = s.now.Add(10 * time.Minute)
	s.state.NoteRead(&s.spec, value, nil, CausePlan, s.now, s.now)
	at, cause := s.state.readAt(&s.spec)
	if wait := at.Sub(value.RotateTime); cause != CausePlan || wait < 0 || wait > 15*time.Second {
		t.Errorf("it is read %s after the rotation, because of %s", wait, cause)
	}
}
