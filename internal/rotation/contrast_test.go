package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestWhatBecomesOfAValueOfWhichARegistrySaysNothing has a case for each thing that may be known of the value in use at that registry.
func TestWhatBecomesOfAValueOfWhichARegistrySaysNothing(t *testing.T) {
	spec := &Spec{Mode: v1alpha1.VerifyPull, SpecHash: "spec", Verify: verifyPeriod, Hold: 2 * time.Minute}
	inUse, next := accountOf(1, hostA), accountOf(2, hostA)
	question, seen := spec.Question(inUse), start
	late := seen.Add(time.Hour)
	for _, test := range []struct {
		name    string
		old     Test // of the value in use
		running bool // a test of the value in use is under way
		asked   bool // the registry was asked about the new value
		expire  time.Time
		now     time.Time
		want    Fate
	}{
		{"nobody asked about the new value", Test{}, false, false, time.Time{}, late, Hold},
		{"nobody asked about the value in use since", Test{Question: question, Verdict: Accepted, Time: seen.Add(-time.Minute), Asked: question, Attempt: seen.Add(-time.Minute)},
			false, true, time.Time{}, late, Hold},
		{"the question about the value in use was another one", Test{Asked: "other", Attempt: seen.Add(time.Minute)}, false, true, time.Time{}, late, Hold},
		{"the test of the value in use has not ended", Test{Question: question, Verdict: Accepted, Time: seen.Add(-time.Minute), Asked: question, Attempt: late},
			true, true, time.Time{}, late, Hold},
		{"the value in use was accepted since", Test{Question: question, Verdict: Accepted, Time: seen, Asked: question, Attempt: seen}, false, true, time.Time{}, late, HoldOn},
		{"the value in use was accepted before, and is silent since", Test{Question: question, Verdict: Accepted, Time: seen.Add(-time.Minute), Asked: question, Attempt: seen.Add(time.Minute)},
			false, true, time.Time{}, late, PublishUnproven},
		{"so, but the hold has not passed", Test{Question: question, Asked: question, Attempt: seen.Add(time.Minute)}, false, true, time.Time{}, seen.Add(time.Minute), Hold},
		{"the value in use is refused: nothing is lost", Test{Question: question, Verdict: Rejected, Time: seen, Asked: question, Attempt: seen},
			false, true, time.Time{}, seen.Add(time.Second), PublishUnproven},
		{"the value in use has ended, and is silent since", Test{Question: question, Asked: question, Attempt: seen.Add(time.Minute)},
			false, true, seen.Add(30 * time.Second), seen.Add(time.Minute), PublishUnproven},
		{"it has ended, and was not asked about since", Test{Question: question, Asked: question, Attempt: seen.Add(time.Second)},
			false, true, seen.Add(30 * time.Second), seen.Add(time.Minute), Hold},
		{"it is to have ended, and was accepted since", Test{Question: question, Verdict: Accepted, Time: seen.Add(40 * time.Second), Asked: question, Attempt: seen.Add(40 * time.Second)},
			false, true, seen.Add(30 * time.Second), seen.Add(time.Minute), HoldOn},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{now: seen, obtained: map[string]time.Time{}}
			s := State{Kept: Kept{Value: w.value(1), Waiting: &Waiting{Value: w.value(2), FirstSeen: seen}, Tests: map[string]Test{inUse.Print: test.old}}}
			s.Value.SpecHash, s.Waiting.SpecHash, s.ExpireTime = "spec", "spec", test.expire
			if test.asked {
				s.Tests[next.Print] = Test{Question: question, Asked: question, Attempt: seen.Add(time.Second), Silent: 1}
			}
			if test.running {
				s.Testing = map[string]time.Time{inUse.Print: late}
			}
			if got, _ := s.Judge(spec, test.now); got.Fate != test.want {
				t.Errorf("it is %s, want %s", got.Fate, test.want)
			}
		})
	}
}

// A value that takes another's place while it is held inherits how long that was held, and not what a registry said meanwhile.
func TestAValueThatComesBackWhileOthersAreHeldIsProvenAgain(t *testing.T) {
	spec := &Spec{Mode: v1alpha1.VerifyPull, SpecHash: "spec", Verify: verifyPeriod, Hold: 2 * time.Minute}
	account := accountOf(2, hostA)
	for _, test := range []struct {
		accepted time.Time
		want     Fate
	}{{start.Add(-time.Second), Hold}, {start, PublishProven}} {
		w := &world{now: start, obtained: map[string]time.Time{}}
		s := State{Kept: Kept{Waiting: &Waiting{Value: w.value(2), FirstSeen: start, HeldSince: start.Add(-time.Hour)}, Tests: map[string]Test{
			account.Print: {Question: spec.Question(account), Verdict: Accepted, Time: test.accepted, Asked: spec.Question(account), Attempt: test.accepted}}}}
		s.Waiting.SpecHash = "spec"
		if got, _ := s.Judge(spec, start.Add(time.Second)); got.Fate != test.want {
			t.Errorf("accepted %s after it came: it is %s, want %s", test.accepted.Sub(start), got.Fate, test.want)
		}
	}
}

func TestARestoreIsForTheSameRegistriesOnly(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script)
		want   bool
	}{
		{"nothing else changed", func(*script) {}, true},
		{"the value before was read for another spec", func(s *script) { s.state.Previous.SpecHash = "earlier" }, false},
		{"the value in use was read for another spec", func(s *script) { s.state.Value.SpecHash = "earlier" }, false},
		{"it went back from this value already", func(s *script) { s.state.RestoredOver = s.state.Digest }, false},
		{"the acceptance is older than the refusal", func(s *script) { s.say(1, Accepted, -time.Minute) }, false},
		{"the acceptance is of the time in which the value in use worked", func(s *script) {
			s.state.Previous.ReplacedTime = s.now.Add(-time.Hour)
			s.say(1, Accepted, -time.Minute)
		}, false},
		{"nobody asks any more", func(s *script) { s.spec.Mode = v1alpha1.VerifyDisabled }, false},
		{"the value before is not kept any more", func(s *script) { s.state.DropPrevious(EndNotKept) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.rotate(hostA)
			s.after(refresh + time.Minute)
			s.inUse(2)
			s.spec.Refresh = 24 * time.Hour
			s.say(2, Rejected, 0)
			s.say(1, Accepted, 0)
			s.state.Reads.Last = s.now
			test.change(s)
			if got := s.state.restores(&s.spec); got != test.want {
				t.Errorf("it restores: %t", got)
			}
		})
	}
}

// say has a registry say something of a version now, or a while ago.
func (s *script) say(version int, verdict Verdict, ago time.Duration) {
	account := accountOf(version, hostA)
	s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: verdict}, s.now.Add(ago))
}
