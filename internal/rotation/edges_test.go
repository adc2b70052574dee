package rotation

import (
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// An answer of the very moment counts as one since then: times of a test and of what it is compared with can be the same.
func TestAnAnswerOfThatMomentCounts(t *testing.T) {
	at, before := minute(5), minute(5).Add(-1)
	taken := func(at time.Time) inUse { return inUse{[]Test{{Verdict: Accepted, Time: at, Attempt: at}}} }
	if !taken(at).acceptedSince(at) || taken(before).acceptedSince(at) || !taken(at).attempted(at) || taken(before).attempted(at) {
		t.Error("of the value in use")
	}
	spec, s := asking()
	s.Waiting.FirstSeen = at
	for when, want := range map[time.Time]bool{at: true, before: false} {
		s.know(spec, 2, Test{Verdict: Accepted, Time: when})
		if s.accepts(spec, s.Waiting, accountOf(2, hostA)) != want {
			t.Errorf("of a new value, %s after it came", when.Sub(at))
		}
		s.Previous = &Previous{Value: s.Waiting.Value}
		if s.acceptsBefore(spec, accountOf(1, hostA), at) != want {
			t.Errorf("of the value before, %s after the one in use was refused", when.Sub(at))
		}
	}
}

func TestBothWereRefusedForTheHoldToItsLastMoment(t *testing.T) {
	const hold = 2 * time.Minute
	refused := func(since, at time.Time) Test { return Test{Verdict: Rejected, Since: since, Time: at} }
	end := start.Add(hold)
	for _, test := range []struct {
		name       string
		mine, next Test
		want       bool
	}{
		{"both to its end", refused(start, end), refused(start, end), true},
		{"the one in use a moment less", refused(start, end.Add(-1)), refused(start, end), false},
		{"the new one a moment less", refused(start, end), refused(start, end.Add(-1)), false},
		{"the new one began later", refused(start, end), refused(start.Add(1), end.Add(1)), false},
		{"the one in use began later", refused(start.Add(1), end.Add(1)), refused(start, end), false},
	} {
		if got := (inUse{[]Test{test.mine}}).refusedWith(test.next, hold); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestHowOftenAndHowLongAnOlderAnswerIsToBeGiven(t *testing.T) {
	for _, test := range []struct {
		name  string
		found order
		reads int
		since time.Duration // ago
		want  bool
	}{
		{"often and long enough", older, olderReads, olderTime, true},
		{"once less", older, olderReads - 1, olderTime, false},
		{"a moment less", older, olderReads, olderTime - 1, false},
		{"one that only the version makes older, twice", disputed, disputedReads, 0, true},
		{"one that only the version makes older, once", disputed, disputedReads - 1, time.Hour, false},
	} {
		value := Value{Place: "p", Digest: "d", Written: Written{Version: 1}}
		s := State{Memory: Memory{Older: &Older{Value: value, Since: start.Add(-test.since), Reads: test.reads - 1}}}
		value.Version, value.ReadTime = 2, start // the same content, written again
		if got := s.believes(value, test.found, start); got != test.want || s.Older.Reads != test.reads || !s.Older.ReadTime.Equal(start) {
			t.Errorf("%s: %t after %d reads, the last at %s", test.name, got, s.Older.Reads, s.Older.ReadTime)
		}
	}
	s := State{Memory: Memory{Older: &Older{Value: Value{Place: "p", Digest: "other"}, Since: start.Add(-time.Hour), Reads: olderReads}}}
	if s.believes(Value{Place: "p", Digest: "d"}, older, start) || s.Older.Reads != 1 || !s.Older.Since.Equal(start) {
		t.Errorf("another answer is counted with the one before: %+v", s.Older)
	}
}

func TestAnAnswerOfTheMomentInWhichTheCountBeganAgainIsOfThatCount(t *testing.T) {
	begun := Value{Place: "p", Digest: "1", Written: Written{Version: 1, CreatedTime: start, CountTime: start}}
	answer := Value{Place: "p", Digest: "2", Written: Written{Version: 2, CreatedTime: start}}
	if got := orderOf(&answer, &begun); got != newer {
		t.Errorf("the order is %d", got)
	}
}

// A registry that wants to be left alone for longer than half a minute keeps nobody from hearing what became of a request.
func TestForHowLongTheVerdictOfARequestIsWaitedFor(t *testing.T) {
	for alone, want := range map[time.Duration]bool{0: true, MinInterval: true, MinInterval + 1: false} {
		spec, s := asking()
		s.Reads.RequestTime = minute(5)
		s.know(spec, 2, Test{Verdict: Rejected, Attempt: minute(1), NotBefore: minute(5).Add(alone)})
		if got := s.awaitsVerdict(spec); got != want {
			t.Errorf("left alone for %s: %t", alone, got)
		}
		s.Testing = map[string]time.Time{accountOf(2, hostA).Print: minute(5)}
		if !s.awaitsVerdict(spec) {
			t.Errorf("left alone for %s: a test that is under way is not waited for", alone)
		}
		if spec.Suspended = true; s.awaitsVerdict(spec) {
			t.Error("one that is suspended is waited for")
		}
	}
}

// When half of the time is gone that was left for another credential, one is obtained.
func TestWhenALeaseThatCannotBeProlongedIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name       string
		term, ends time.Duration
		at         time.Duration
		spent      bool
	}{
		{"a sixth of its term is left", time.Hour, time.Hour, 50 * time.Minute, true},
		{"a moment more is", time.Hour, time.Hour, 50*time.Minute - 1, false},
		{"a sixth is left of what the login leaves", time.Hour, 30 * time.Minute, 25 * time.Minute, true},
		{"a moment more is left of that", time.Hour, 30 * time.Minute, 25*time.Minute - 1, false},
	} {
		_, s := asking()
		s.Value.Lease = &source.Lease{ID: "mine", Renewable: true, Term: test.term, Duration: test.term, Obtained: start, LoginEnds: start.Add(test.ends)}
		s.Waiting.Lease = &source.Lease{ID: "other", Renewable: true, Term: time.Minute, Duration: time.Minute, Obtained: start}
		s.NoteRenewFailed("mine", 0, start.Add(test.at))
		if s.Value.Lease.Spent != test.spent || s.Waiting.Lease.Spent {
			t.Errorf("%s: given up %t, the other one %t", test.name, s.Value.Lease.Spent, s.Waiting.Lease.Spent)
		}
	}
}

func TestALeaseThatHasEndedIsForgottenOnceItWasTried(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // its end
		tried int
		kept  bool
	}{
		{"it ends now", 0, 1, true},
		{"it ended a moment ago", 1, 1, false},
		{"it ended long ago, and was not tried", 24 * time.Hour, 0, true},
	} {
		s := State{Kept: Kept{Obsolete: []Lease{{Lease: *heldLease("old"), Since: start}}}, Memory: Memory{Releases: map[string]Attempts{"old": {Count: test.tried}}}}
		if s.correctLeases(start.Add(time.Hour + test.after)); (len(s.Obsolete) == 1) != test.kept {
			t.Errorf("%s: %d are kept", test.name, len(s.Obsolete))
		}
	}
}

func TestForHowLongATestOfAStrangerIsKept(t *testing.T) {
	for age, want := range map[time.Duration]bool{strangerTime - 1: true, strangerTime: false} {
		s := State{Kept: Kept{Tests: map[string]Test{"stranger": {Attempt: start}}}}
		s.keepTest("mine", Test{Attempt: start.Add(age)})
		if _, kept := s.Tests["stranger"]; kept != want {
			t.Errorf("after %s it is kept: %t", age, kept)
		}
	}
}

func TestTheNewestTestsAreThoseThatAreKept(t *testing.T) {
	accounts := []string{"b", "c", "a"}
	tests := map[string]Test{"a": {Attempt: minute(1)}, "b": {Attempt: minute(2)}, "c": {Attempt: minute(2)}}
	if newest(accounts, tests); !slices.Equal(accounts, []string{"b", "c", "a"}) {
		t.Errorf("%q", accounts)
	}
	accounts = []string{"c", "b", "a"}
	if newest(accounts, tests); !slices.Equal(accounts, []string{"b", "c", "a"}) {
		t.Errorf("of two of one moment the order depends on luck: %q", accounts)
	}
}
