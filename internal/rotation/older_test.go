package rotation

import (
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
	early, late := start, start.Add(time.Minute)
	for _, test := range []struct {
		name string
		a, b Value
		want bool
	}{
		{"a lower version of one place", Value{Place: "p", Version: 1, Digest: "a"}, Value{Place: "p", Version: 2, Digest: "b"}, true},
		{"a higher version", Value{Place: "p", Version: 3, Digest: "a"}, Value{Place: "p", Version: 2, Digest: "b"}, false},
		{"a lower version with the same content", Value{Place: "p", Version: 1, Digest: "a"}, Value{Place: "p", Version: 2, Digest: "a"}, true},
		{"the same answer", Value{Place: "p", Version: 2, Digest: "a"}, Value{Place: "p", Version: 2, Digest: "a"}, false},
		{"another place", Value{Place: "p", Version: 1, Digest: "a"}, Value{Place: "q", Version: 2, Digest: "b"}, false},
		{"a higher version that was written earlier: the secret was made again", Value{Place: "p", Version: 5, CreatedTime: early, Digest: "a"},
			Value{Place: "p", Version: 1, CreatedTime: late, Digest: "b"}, true},
		{"a lower version that was written later", Value{Place: "p", Version: 1, CreatedTime: late, Digest: "a"},
			Value{Place: "p", Version: 5, CreatedTime: early, Digest: "b"}, false},
		{"no version at all", Value{Place: "p", Digest: "a"}, Value{Place: "p", Version: 2, Digest: "b"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := older(&test.a, &test.b); got != test.want {
				t.Errorf("older is %t", got)
			}
		})
	}
}
