package rotation

import (
	"fmt"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// lagging returns a world with version 3 in use, whose source then answers with version 2. Both are accepted.
func lagging(t *testing.T) *script {
	t.Helper()
	s := begin(t)
	s.rotate(hostA)
	s.rotate(hostA)
	s.after(refresh + time.Second)
	s.inUse(3)
	s.given = 2
	return s
}

func TestAnOlderAnswerIsNotARotation(t *testing.T) {
	s := lagging(t)
	s.after(9 * time.Minute)
	s.inUse(3)
	if s.state.Waiting != nil || s.state.Older == nil {
		t.Fatalf("waiting %+v, older %+v", s.state.Waiting, s.state.Older)
	}
	s.given = 3
	s.after(2 * refresh)
	if s.state.Older != nil {
		t.Errorf("the standby caught up, and %+v is remembered", s.state.Older)
	}
	s.given = 2
	s.after(9 * time.Minute)
	s.inUse(3) // it counts from the beginning
}

func TestAnOlderAnswerIsTrueAfterTenMinutesAndFiveReads(t *testing.T) {
	s := lagging(t)
	s.after(12 * time.Minute)
	s.inUse(2)

	s = lagging(t)
	s.spec.Refresh = 5 * time.Second // five reads are soon made
	s.after(9 * time.Minute)
	s.inUse(3)
	if s.state.Older.Reads < 2*olderReads {
		t.Errorf("%d reads", s.state.Older.Reads)
	}

	s = lagging(t)
	s.spec.Refresh = time.Hour // an older answer is asked for again sooner than that
	s.after(time.Hour + 12*time.Minute)
	s.inUse(2)
}

func TestAPersonWhoAsksForAReadIsBelieved(t *testing.T) {
	s := lagging(t)
	s.after(2 * refresh)
	s.inUse(3)
	s.spec.RefreshRequest = "now"
	s.after(30 * time.Second)
	s.inUse(2)
}

func TestAnOlderValueThatIsAcceptedReplacesOneThatIsRefused(t *testing.T) {
	s := lagging(t)
	s.takes[hostA] = map[int]bool{2: true}
	s.state.DoubtTime = s.now.Add(time.Minute)
	s.now = s.now.Add(time.Minute)
	s.after(5 * time.Minute)
	s.inUse(2)
}

func TestAnOlderValueThatNothingIsKnownOfDoesNotReplaceOneThatIsRefused(t *testing.T) {
	s := lagging(t)
	s.takes[hostA] = map[int]bool{}
	s.mute = 2
	s.state.DoubtTime = s.now
	s.after(9 * time.Minute)
	s.inUse(3)
	s.verdict(Rejected)
}

func TestAnOlderValueIsNotPublishedWithoutVerification(t *testing.T) {
	s := lagging(t)
	s.spec.Mode = v1alpha1.VerifyDisabled
	s.after(9 * time.Minute)
	s.inUse(3)
}

func TestASourceThatGaveAnOlderAnswerIsAskedAgainAtOnceAndInsistently(t *testing.T) {
	s := lagging(t)
	s.after(refresh + 20*time.Second)
	if s.state.Older == nil || s.state.Older.Reads < 2 {
		t.Fatalf("older is %+v", s.state.Older)
	}
	if !s.state.Insists(CausePlan) {
		t.Error("the read does not ask for the active node")
	}
	if s.state.MaxAge(&s.spec, CausePlan, s.now) != 0 {
		t.Error("an answer of another object would do")
	}
}

func TestWhatOrdersTwoAnswers(t *testing.T) {
	early, middle, late := start, start.Add(time.Minute), start.Add(time.Hour)
	at := func(version int64, created time.Time) Value {
		return Value{Place: "p", Digest: fmt.Sprint(version), Written: Written{Version: version, CreatedTime: created}}
	}
	begun := at(1, late) // its count began again
	begun.CountTime = late
	setBack := at(5, early) // the clock was later before
	setBack.LatestTime = middle
	same := at(2, early)
	same.Digest = "1"
	other0, other := at(0, early), at(2, early)
	other0.Digest = "other"
	other.Digest = "other"
	for _, test := range []struct {
		name          string
		answer, known Value
		want          order
	}{
		{"a lower version of one place", at(1, time.Time{}), at(2, time.Time{}), older},
		{"a lower version that was written earlier", at(1, early), at(2, late), older},
		{"a lower version with the same content", at(1, early), same, older},
		{"a higher version", at(3, time.Time{}), at(2, time.Time{}), newer},
		{"a higher version that was written later", at(3, late), at(2, early), newer},
		{"a higher version that was written at the same moment", at(3, early), at(2, early), newer},
		{"the same answer", at(2, early), at(2, early), newer},
		{"the same version with other keys", other, at(2, early), newer},
		{"the same version that was written earlier", other, at(2, late), older},
		{"another place", Value{Place: "q", Written: Written{Version: 1}, Digest: "a"}, at(2, early), newer},
		{"no version at all", Value{Place: "p", Digest: "a"}, at(2, early), newer},
		{"no version, and it was written earlier", other0, at(0, late), older},
		{"no version, and no time in the answer", at(0, time.Time{}), other0, newer},
		{"no version, and no time is known", other0, at(0, time.Time{}), newer},
		{"no version in the answer, which was written later", at(0, late), at(5, early), newer},
		{"no version is known, and the answer was written earlier", at(5, early), at(0, late), older},
		{"a lower version, of which no time is known", at(1, time.Time{}), at(2, early), older},
		{"a lower version, and no time of the known one", at(1, late), at(2, time.Time{}), older},
		{"a higher version, of which no time is known", at(3, time.Time{}), at(2, early), newer},
		{"a higher version that was written earlier: the clock was set back", at(6, early), at(5, late), disputed},
		{"so, in a count of which it is known that it began before that", at(2, late.Add(time.Minute)), begun, newer},
		{"so, and it was written before a count that began again", at(5, early), begun, older},
		{"a lower version that was written later: the place was removed and written again", at(1, late), at(5, early), disputed},
		{"so, but not later than what was seen before the clock was set back", at(4, middle), setBack, older},
		{"so, and later than that", at(1, late), setBack, disputed},
		{"a higher version after the clock was set back, and it is still behind", at(6, early.Add(time.Second)), setBack, newer},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := orderOf(&test.answer, &test.known); got != test.want {
				t.Errorf("the order is %d, want %d", got, test.want)
			}
		})
	}
}

// write has the source give a new version that counts and dates itself in a way.
func (s *script) write(mark Written, takenBy ...string) {
	s.rotate(takenBy...)
	s.marks[s.current] = mark
}

func TestANewVersionIsNoOlderAnswerBecauseTheClockOfTheSourceWasSetBack(t *testing.T) {
	s := begin(t)
	first := s.state.Written
	s.write(Written{Version: 2, CreatedTime: first.CreatedTime.Add(-time.Hour)}, hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(2)
	if s.state.Older != nil {
		t.Errorf("it is said to be older: %+v", s.state.Older)
	}
	s.given = 1 // a standby that lags: its version was written later by that clock
	s.after(9 * time.Minute)
	s.inUse(2)
	s.given = 2
	s.after(2 * refresh)
	s.write(Written{Version: 3, CreatedTime: first.CreatedTime.Add(-30 * time.Minute)}, hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(3)
}

func TestAPlaceThatWasRemovedAndWrittenAgainCountsFromOne(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.rotate(hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(3)
	later := s.state.CreatedTime.Add(time.Minute)
	s.write(Written{Version: 1, CreatedTime: later}, hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(4)
	s.restart()
	s.given = 3 // a standby that did not notice
	s.after(9 * time.Minute)
	s.inUse(4)
	s.given = 4
	s.after(2 * refresh)
	s.write(Written{Version: 2, CreatedTime: later.Add(time.Minute)}, hostA)
	s.after(refresh + 30*time.Second)
	s.inUse(5)
	if !s.state.CountTime.Equal(later) {
		t.Errorf("the count began at %s, want %s", s.state.CountTime, later)
	}
}

func TestAnOlderValueThatAPersonAskedForIsNotOlderAgainAfterARestart(t *testing.T) {
	s := lagging(t)
	s.mute = 2
	s.spec.RefreshRequest = "now"
	s.after(30 * time.Second)
	s.fate(HoldOn)
	s.restart()
	s.after(refresh + 30*time.Second)
	if s.state.Older != nil || s.state.Waiting == nil || s.state.Waiting.Config == nil {
		t.Fatalf("waiting is %+v, older %+v", s.state.Waiting, s.state.Older)
	}
	s.mute = 0
	s.after(5 * time.Minute)
	s.inUse(2)
}
