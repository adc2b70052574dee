package rotation

import (
	"testing"
	"time"
)

func TestAMintedValueThatIsRefusedIsMintedAgainAtAPaceThatNobodyNotices(t *testing.T) {
	s := leasing(t)
	s.mint()
	s.fate(Refuse)
	before := s.leases
	s.state.Delivered = true
	s.after(6 * time.Hour) // the waits are 10, 20, 40 and 80 minutes, and then 2 hours
	if minted := s.leases - before; minted < 5 || minted > 7 {
		t.Errorf("%d values were minted in 6 hours", minted)
	}
	s.inUse(1)
	if len(s.state.Obsolete) > 1 {
		t.Errorf("%d leases wait for being given back", len(s.state.Obsolete))
	}
	s.takes[hostA][s.current] = true
	s.after(2 * verifyPeriod) // the one that waits is tested as often as any
	s.inUse(2)
}

func TestACrashLoopHasNoMoreMintedThanAProcessThatRunsOn(t *testing.T) {
	s := leasing(t)
	s.revoke(1) // and the source goes on giving what the registry refuses
	s.state.DoubtTime = s.now
	s.after(2 * time.Minute)
	s.verdict(Rejected)
	before := s.leases
	for range 6 * 60 {
		s.restart()
		s.after(time.Minute)
	}
	if minted := s.leases - before; minted < 4 || minted > 7 {
		t.Errorf("%d values were minted in 6 hours of restarts", minted)
	}
}

func TestWhenAnotherValueIsMintedBecauseOneIsRefused(t *testing.T) {
	for _, test := range []struct {
		name      string
		fruitless int
		refresh   time.Duration
		want      time.Duration
	}{
		{"the first that is refused", 0, refresh, verifyPeriod},
		{"one of which the one before was refused", 1, refresh, verifyPeriod},
		{"the second such", 2, refresh, 2 * verifyPeriod},
		{"the fourth", 4, refresh, 8 * verifyPeriod},
		{"the fifth: not more rarely than every two hours", 5, refresh, fruitlessInterval},
		{"the hundredth", 100, refresh, fruitlessInterval},
		{"not more often than the source is to be read", 1, time.Hour, time.Hour},
		{"a source that is to be read more rarely than that", 100, 6 * time.Hour, 6 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := State{Kept: Kept{Fruitless: test.fruitless}}
			if got := s.fruitlessWait(&Spec{Refresh: test.refresh, Verify: verifyPeriod}); got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}

func TestAMintedValueThatIsAcceptedEndsTheWaits(t *testing.T) {
	s := leasing(t)
	s.mint()
	s.mint()
	s.mint()
	if s.state.Fruitless != 2 {
		t.Fatalf("%d values in a row count as fruitless", s.state.Fruitless)
	}
	s.mint(hostA)
	s.inUse(5)
	if s.state.Fruitless != 3 { // each was read because of the one before
		t.Errorf("%d values in a row count as fruitless", s.state.Fruitless)
	}
	s.mint(hostA)
	if s.state.Fruitless != 0 {
		t.Errorf("%d values in a row count as fruitless though the one before was accepted", s.state.Fruitless)
	}
	s.mint()
	s.fate(Refuse)
	s.two = true
	s.respec()
	s.after(0)
	if s.state.Fruitless != 0 {
		t.Error("a value for another spec counts as fruitless")
	}
	s.mint()
	s.minted = false
	s.respec()
	s.after(0)
	if s.state.Fruitless != 0 {
		t.Error("a value that nobody minted counts as fruitless")
	}
}
