package rotation

import (
	"testing"
	"time"
)

// lockedOut returns a world in which an account was locked, and the new value published because the old one is refused as well.
func lockedOut(t *testing.T) *script {
	t.Helper()
	s := begin(t)
	s.after(verifyPeriod)
	s.says("locked")
	s.rotate(hostA)
	s.after(refresh + 2*verifyPeriod)
	s.inUse(2)
	return s
}

func TestAGoodValueIsPublishedThoughTheAccountIsLocked(t *testing.T) {
	s := lockedOut(t)
	s.says("well")
	s.after(2 * verifyPeriod)
	s.inUse(2)
	s.verdict(Accepted)
}

func TestBothMustBeRefusedForTheHoldWithNothingInBetween(t *testing.T) {
	s := begin(t)
	s.spec.Hold = time.Hour
	s.says("locked")
	s.rotate(hostA)
	s.after(50 * time.Minute)
	s.inUse(1)
	s.takes[hostA] = map[int]bool{1: true}
	s.says("well") // the registry takes the old value in between
	s.after(2 * verifyPeriod)
	s.verdict(Accepted)
	s.says("locked")
	s.after(50 * time.Minute)
	s.inUse(1)
	s.after(time.Hour)
	s.inUse(2)
}

func TestTheOldValueIsRestoredOnceWhereTheRegistryTakesItAgain(t *testing.T) {
	s := lockedOut(t)
	s.takes[hostA] = map[int]bool{1: true}
	s.says("well")
	s.after(2 * verifyPeriod)
	s.inUse(1)
	s.verdict(Accepted)
	s.fate(Refuse)
	s.says("locked")
	s.after(6 * time.Hour)
	s.inUse(1) // a value from which regcred went back is not published again because of a lock
	s.restart()
	s.after(6 * time.Hour)
	s.inUse(1)
	s.takes[hostA] = map[int]bool{2: true}
	s.says("well")
	s.after(2 * verifyPeriod)
	s.inUse(2) // but because the registry accepts it
	s.takes[hostA] = map[int]bool{1: true}
	s.after(4 * verifyPeriod)
	s.inUse(2)
}

func TestNothingIsRestoredWhileTheRegistryIsSilent(t *testing.T) {
	s := lockedOut(t)
	s.takes[hostA] = map[int]bool{1: true}
	s.says("503")
	s.after(6 * time.Hour)
	s.inUse(2)
}

func TestAnOldAcceptanceRestoresNothing(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + 2*verifyPeriod)
	s.inUse(2)
	s.takes[hostA] = map[int]bool{} // both are revoked, the old one was accepted before
	s.after(6 * time.Hour)
	s.inUse(2)
}

func TestARegistryThatLocksAfterTwoWrongLoginsInARowIsNotLockedByAWrongValue(t *testing.T) {
	for name, period := range map[string]time.Duration{"tested every half minute": 30 * time.Second, "tested every ten minutes": verifyPeriod, "tested once a day": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			s.spec.Verify, s.locksAfter = period, 2
			s.rotate()
			s.after(3 * time.Hour)
			for range 20 {
				s.restart()
				s.after(time.Second)
			}
			s.after(21 * time.Hour)
			s.inUse(1)
			s.fate(Refuse)
			s.verdict(Accepted)
			s.rotate(hostA)
			s.after(refresh + time.Minute)
			s.inUse(3)
		})
	}
}
