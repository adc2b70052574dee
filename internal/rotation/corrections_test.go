package rotation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/internal/source"
)

// right is a state of which each time that is kept is as late as it may be.
func right() State {
	value := Value{Config: newWorld(1).value(1).Config, Minted: true, ReadTime: start, Lease: heldLease("a")}
	return State{Kept: Kept{
		Value: value, Waiting: &Waiting{Value: value, FirstSeen: start, HeldSince: start}, Previous: &Previous{Value: value, ReplacedTime: start},
		Tests:    map[string]Test{"a": {Attempt: start, Time: start, Since: start, NotBefore: start.Add(maxRetryAfter)}},
		Obsolete: []Lease{{Lease: *heldLease("b"), Since: start}, {Lease: *heldLease("c"), Since: start}},
	}}
}

// The record is written where something in it was corrected, and only there: else each look would correct it, or write it.
func TestWhetherTheRecordIsToBeWrittenAfterACorrection(t *testing.T) {
	ahead := start.Add(time.Hour)
	later := &source.Lease{ID: "a", Obtained: ahead, Duration: time.Hour}
	for _, test := range []struct {
		name   string
		change func(s *State)
		want   bool
	}{
		{"every time is right", func(*State) {}, false},
		{"a read lies ahead, which is not kept", func(s *State) { s.Reads.Last = ahead }, false},
		{"the value in use was made ahead", func(s *State) { s.Value.ReadTime = ahead }, true},
		{"its lease was prolonged ahead", func(s *State) { s.Value.Lease = later }, true},
		{"a value that is not made was read ahead", func(s *State) { s.Minted, s.Value.ReadTime = false, ahead }, false},
		{"so was one whose content is lost, which is not in use", func(s *State) { s.Config, s.Value.ReadTime = nil, ahead }, false},
		{"the one that waits was made ahead", func(s *State) { s.Waiting.ReadTime = ahead }, true},
		{"the one that waits was first seen ahead", func(s *State) { s.Waiting.FirstSeen = ahead }, true},
		{"values are held since ahead", func(s *State) { s.Waiting.HeldSince = ahead }, true},
		{"the one before was made ahead", func(s *State) { s.Previous.ReadTime = ahead }, true},
		{"the one before was replaced ahead", func(s *State) { s.Previous.ReplacedTime = ahead }, true},
		{"a registry was asked ahead", func(s *State) { s.Tests["b"] = Test{Attempt: ahead} }, true},
		{"a registry is left alone for too long", func(s *State) { s.Tests["b"] = Test{NotBefore: start.Add(maxRetryAfter + 1)} }, true},
		{"the first lease was obtained ahead", func(s *State) { s.Obsolete[0].Obtained = ahead }, true},
		{"the last lease is to be given back since ahead", func(s *State) { s.Obsolete[1].Since = ahead }, true},
		{"a lease has ended that was tried", func(s *State) {
			s.Obsolete[0].Obtained, s.Releases = start.Add(-2*time.Hour), map[string]Attempts{"b": {Count: 1}}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := right()
			if test.change(&s); s.Correct(start) != test.want {
				t.Errorf("it is to be written: %t", !test.want)
			}
			if s.Correct(start) {
				t.Error("it would be written at each look")
			}
		})
	}
}

func TestWhatAWrongClockReadMovesWithItsRead(t *testing.T) {
	const ahead, life = 6 * time.Hour, 8 * time.Hour
	for _, test := range []struct {
		name   string
		minted bool
		read   time.Duration // from now
		ends   time.Duration // from now, after the correction
	}{
		{"the end of what was made moves", true, ahead, life},
		{"that of what each read gives again stays", false, ahead, ahead + life},
		{"that of what was made before now stays", true, -time.Hour, life - time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			read := start.Add(test.read)
			value := Value{Config: newWorld(1).value(1).Config, Minted: test.minted, ReadTime: read, ExpireTime: read.Add(life)}
			s := State{Kept: Kept{Value: value}, Memory: Memory{Older: &Older{Value: value}, Reads: Reads{ReadTime: read, Expire: read.Add(life), Minted: test.minted}}}
			s.Correct(start)
			got := map[string]time.Duration{"what was read": s.Reads.Expire.Sub(start), "in use": s.Value.ExpireTime.Sub(start), "older": s.Older.ExpireTime.Sub(start)}
			if diff := cmp.Diff(map[string]time.Duration{"what was read": test.ends, "in use": test.ends, "older": test.ends}, got); diff != "" {
				t.Errorf("wanted (-) and ends (+):\n%s", diff)
			}
		})
	}
}

func TestAnEndOfACredentialsOwnMovesWithItsLease(t *testing.T) {
	read := start.Add(6 * time.Hour)
	s := State{Kept: Kept{Value: Value{Config: newWorld(1).value(1).Config, Minted: true, ReadTime: read, ExpireTime: read.Add(time.Hour),
		Lease: &source.Lease{ID: "a", Duration: 24 * time.Hour, Obtained: read, Limit: read.Add(time.Hour)}}}}
	if s.Correct(start); !s.Value.Lease.Limit.Equal(start.Add(time.Hour)) || !s.ExpireTime.Equal(start.Add(time.Hour)) || !s.Value.Lease.LoginEnds.IsZero() {
		t.Errorf("it ends after %s, its lease is %+v", s.ExpireTime.Sub(start), s.Value.Lease)
	}
}

func TestReadsForNewsArePaidForNoLongerThanTheyCost(t *testing.T) {
	longest := start.Add((toldAtOnce + 1) * toldPeriod)
	for name, paid := range map[string]time.Time{"as long as they cost": longest, "by a wrong clock": longest.Add(24 * time.Hour)} {
		s := State{Memory: Memory{Reads: Reads{ToldPaid: paid}}}
		if s.Correct(start); !s.Reads.ToldPaid.Equal(longest) {
			t.Errorf("%s: for %s", name, s.Reads.ToldPaid.Sub(start))
		}
	}
}

// A state is copied, and what is copied is compared with it, or kept in its place where a write fails.
func TestWhatChangesTheLeasesOfOneStateLeavesThoseOfItsCopy(t *testing.T) {
	for name, change := range map[string]func(s *State){
		"a correction":         func(s *State) { s.Correct(start.Add(-time.Minute)) },
		"one more":             func(s *State) { s.discard(heldLease("new"), start) },
		"one is given back":    func(s *State) { s.NoteReleased("a") },
		"one is in use again":  func(s *State) { s.Lease = heldLease("a"); s.Discard(nil, start) },
		"one ended, and tried": func(s *State) { s.Releases = map[string]Attempts{"a": {Count: 1}}; s.Correct(start.Add(2 * time.Hour)) },
	} {
		list := []Lease{{Lease: *heldLease("a"), Since: start}, {Lease: *heldLease("b"), Since: start}, {Lease: *heldLease("spare"), Since: start}}
		before := []Lease{list[0], list[1], list[2]}
		s := State{Kept: Kept{Obsolete: list[:2]}} // what is appended in place would change the third
		if change(&s); cmp.Diff(before, list) != "" {
			t.Errorf("%s changes the leases of a copy: %s", name, cmp.Diff(before, list))
		}
	}
}
