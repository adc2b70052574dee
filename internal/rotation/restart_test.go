package rotation

import (
	"testing"
	"time"
)

// obtain notes a value that the source minted, and nothing more: the process ends before it does anything with it.
func (s *script) obtain(cause Cause) {
	s.t.Helper()
	next := s.state.Clone()
	s.answered[s.spec.RefreshRequest] = true
	next.NoteRead(&s.spec, s.value(s.current), nil, cause, s.now, s.now)
	if !s.keep(next) {
		s.t.Fatal("the record is not kept")
	}
}

// TestARestartInNoStateMakesAnotherValue ends the process twenty times in each state that a minted value goes through.
func TestARestartInNoStateMakesAnotherValue(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(s *script)
		made    int
	}{
		{"the first one was just made", func(s *script) { s.obtain(CauseSpec) }, 1},
		{"the first one is being tested", func(s *script) {
			s.obtain(CauseSpec)
			s.beginTest(s.state.Waiting.Accounts[0])
		}, 1},
		{"the first one is held, because the registry says nothing", func(s *script) {
			s.says("503")
			s.spec.Hold = 10 * time.Hour
			s.after(time.Minute)
		}, 1},
		{"it is published and in no namespace yet", func(s *script) { s.after(time.Minute) }, 1},
		{"it is everywhere", (*script).everywhere, 1},
		{"it was prolonged", func(s *script) {
			s.everywhere()
			s.after(lifetime * 7 / 10)
		}, 1},
		{"it cannot be prolonged now", func(s *script) {
			s.everywhere()
			s.renewFails = true
			s.after(lifetime * 7 / 10)
		}, 1},
		{"the next one was just made", func(s *script) {
			s.everywhere()
			s.obtain(CauseSpec)
		}, 2},
		{"the next one is being tested", func(s *script) {
			s.everywhere()
			s.obtain(CauseSpec)
			s.beginTest(s.state.Waiting.Accounts[0])
		}, 2},
		{"the next one is held, because the registry says nothing", func(s *script) {
			s.everywhere()
			s.mute = 2
			s.mint()
		}, 2},
		{"the next one was made because a person asked, and no status says so", func(s *script) {
			s.everywhere()
			s.spec.RefreshRequest = "now"
			s.obtain(CauseRequest)
		}, 2},
		{"the next one is in some namespaces", func(s *script) {
			s.everywhere()
			s.mint(hostA)
		}, 2},
		{"the lease before is waiting to be given back", func(s *script) {
			s.everywhere()
			s.keepsAll = true
			s.mint(hostA)
			s.state.Delivered = true
			s.after(time.Minute)
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{newWorld(1), t}
			s.minted, s.renewable = true, true
			s.respec()
			c.prepare(s)
			s.made(c.made)
			for range 20 {
				s.restart()
				s.after(3 * time.Second)
			}
			s.made(c.made)
			s.heal()
			s.spec.Hold, s.mute = 2*time.Minute, 0
			s.after(15 * time.Minute)
			s.state.Delivered = true
			s.after(15 * time.Minute)
			s.made(c.made)
			if last := s.leases; s.state.Lease == nil || s.ends[s.state.Lease.ID].IsZero() || len(s.released) != last-1 || len(s.state.Obsolete) > 0 {
				t.Errorf("of %d leases %+v is in use, given back are %v", last, s.state.Lease, s.released)
			}
			if s.released[s.state.Lease.ID] {
				t.Error("the lease in use was given back")
			}
		})
	}
}

// everywhere publishes the first value, and delivers it.
func (s *script) everywhere() {
	s.t.Helper()
	s.after(time.Minute)
	s.inUse(1)
	s.state.Delivered = true
	s.after(time.Second)
}

// What is too large for the record is lost with the process, as the content of a value that can be read again: then one more is made.
func TestAMintedValueThatTheRecordDidNotHoldIsMadeAgain(t *testing.T) {
	s := renewing(t)
	s.mute = 2
	s.mint()
	s.made(2)
	s.stored.Waiting = clone(s.stored.Waiting)
	s.stored.Waiting.Config = nil
	s.mute = 0
	s.rotate(hostA)
	s.restart()
	s.after(lifetime)
	s.made(3)
	s.inUse(3)
}
