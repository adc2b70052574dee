package rotation

import (
	"testing"
	"time"
)

// tradedLogins returns a world whose source trades what it has for logins of twelve hours, as that of Amazon ECR does.
func tradedLogins(t *testing.T) *script {
	t.Helper()
	s := &script{newWorld(1), t}
	s.minted, s.loginLife = true, 12*time.Hour
	s.respec()
	s.after(time.Minute)
	s.inUse(1)
	s.state.Delivered = true
	return s
}

func TestLoginsOfTwelveHoursAreReplacedBeforeTheirEnd(t *testing.T) {
	s := tradedLogins(t)
	for range 5 * 24 * 4 {
		s.after(15 * time.Minute)
		if left := s.state.ExpireTime.Sub(s.now); left < 3*time.Hour {
			t.Fatalf("the login in use ends in %s", left)
		}
	}
	if s.leases < 10 || s.leases > 20 { // each is used for two thirds of its life, or a little more
		t.Errorf("%d logins were made in 5 days", s.leases)
	}
}

func TestALoginStaysInUseWhileNoOtherIsGiven(t *testing.T) {
	s := tradedLogins(t)
	first := s.state.Digest
	s.sourceFails = true
	s.after(11 * time.Hour)
	if s.state.Digest != first || !s.state.Published() {
		t.Fatal("the last login is not in use any more")
	}
	s.sourceFails = false
	s.after(30 * time.Minute)
	if s.state.Digest == first || s.state.ExpireTime.Sub(s.now) < 11*time.Hour {
		t.Errorf("a new login was not fetched, although the source gives one again: the one in use ends in %s", s.state.ExpireTime.Sub(s.now))
	}
}
