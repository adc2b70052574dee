package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhichValueMayBePublished(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script)
		want   int // the version, 0 for none
	}{
		{"the one that waits", func(s *script) { s.waits(3) }, 3},
		{"none whose content another process has", func(s *script) { s.waits(3); s.state.Waiting.Config = nil }, 0},
		{"none that was read for another spec", func(s *script) { s.waits(3); s.state.Waiting.SpecHash = "other" }, 0},
		{"no older one while the one in use works", func(s *script) { s.olderIs(1) }, 0},
		{"an older one while the one in use is refused", func(s *script) { s.olderIs(1); s.say(2, Rejected, 0) }, 1},
		{"no older one that was read for another spec", func(s *script) {
			s.olderIs(1)
			s.say(2, Rejected, 0)
			s.state.Older.SpecHash = "other"
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.rotate(hostA)
			s.after(refresh + time.Minute)
			test.change(s)
			got := 0
			if candidate := s.state.candidate(&s.spec); candidate != nil {
				got = versionOf(&candidate.Value)
			}
			if got != test.want {
				t.Errorf("version %d may be published, want %d", got, test.want)
			}
		})
	}
}

func (s *script) waits(version int) {
	s.state.Waiting = &Waiting{Value: s.value(version), FirstSeen: s.now}
}

func (s *script) olderIs(version int) {
	s.state.Older = &Older{Value: s.value(version), Since: s.now, Reads: 2}
}

func TestARefusalThatNobodyAsksForPublishesNoOlderValue(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.olderIs(1)
	s.say(2, Rejected, 0)
	s.spec.Mode = v1alpha1.VerifyDisabled
	if judged, waits := s.state.Judge(&s.spec, s.now); waits {
		t.Errorf("an older value is judged: %+v", judged)
	}
}

// Where a login stays as it is nothing is lost by a publication; but a login of which the registry said nothing yet, or of which the test did not end,
// is not one that it accepts, and people are not told so.
func TestARegistryWhoseLoginDoesNotChangeHoldsNothingBack(t *testing.T) {
	for _, test := range []struct {
		name string
		said func(s *script, same Account)
		want Fate
	}{
		{"it is refused", func(s *script, same Account) {
			s.state.NoteAnswer(same, s.spec.Question(same), Answer{Verdict: Rejected}, s.now)
		}, PublishUnproven},
		{"it is accepted", func(*script, Account) {}, PublishProven},
		{"nothing was said of it", func(s *script, same Account) { delete(s.state.Tests, same.Print) }, PublishUnproven},
		{"its test is under way, or ended with the process", func(s *script, same Account) {
			delete(s.state.Tests, same.Print)
			s.state.NoteAttempt(same, s.now)
		}, PublishUnproven},
		{"the registry does not answer", func(s *script, same Account) {
			delete(s.state.Tests, same.Print)
			s.state.NoteAnswer(same, s.spec.Question(same), Answer{Verdict: Unknown, Message: "503"}, s.now)
		}, PublishUnproven},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.two = true
			s.respec()
			s.after(2 * time.Minute)
			s.waits(2)
			same := s.state.Accounts[1]
			s.state.Waiting.Accounts[1] = same // at the second registry the login stays
			s.say(2, Accepted, 0)
			test.said(s, same)
			s.fate(test.want)
		})
	}
}

func TestNothingIsLeftToProtectOnlyWhereBothWereRefusedTogether(t *testing.T) {
	hold := 2 * time.Minute
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	refused := func(since, last int) Test { return Test{Verdict: Rejected, Since: at(since), Time: at(last)} }
	for _, test := range []struct {
		name     string
		old, new Test
		want     bool
	}{
		{"both for as long as the hold", refused(0, 2), refused(0, 2), true},
		{"the old one for less", refused(0, 1), refused(0, 5), false},
		{"the new one for less", refused(0, 5), refused(0, 1), false},
		{"the new one began later", refused(0, 5), refused(4, 7), false},
		{"the old one began later", refused(4, 5), refused(0, 7), false},
		{"the new one began later, and both go on", refused(0, 6), refused(4, 6), true},
		{"the old one works", Test{Verdict: Accepted, Since: at(0), Time: at(5)}, refused(0, 5), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := (inUse{tests: []Test{test.old}}).refusedWith(test.new, hold); got != test.want {
				t.Errorf("it is %t", got)
			}
		})
	}
}

func TestADefiniteAnswerEndsASilence(t *testing.T) {
	s := begin(t)
	s.say(1, Unknown, 0)
	s.say(1, Unknown, 0)
	s.say(1, Accepted, 0)
	if test := s.state.Tests[s.state.Accounts[0].Print]; test.Silent != 0 || test.Said != "" {
		t.Errorf("the registry counts as silent: %+v", test)
	}
}

func TestPublishingForgetsWhatWaitedAndWhatWasOlder(t *testing.T) {
	s := begin(t)
	s.waits(3)
	s.olderIs(1)
	s.state.Delivered = true
	s.state.Publish(&s.spec, s.now)
	if s.state.Waiting != nil || s.state.Older != nil || s.state.Delivered || versionOf(&s.state.Value) != 3 {
		t.Errorf("waiting %+v, older %+v, delivered %t", s.state.Waiting, s.state.Older, s.state.Delivered)
	}
	s.state.Delivered = true
	s.state.Restore(&s.spec, s.now)
	if s.state.Delivered || versionOf(&s.state.Value) != 1 || versionOf(&s.state.Waiting.Value) != 3 {
		t.Errorf("after a restore: waiting %+v, delivered %t", s.state.Waiting, s.state.Delivered)
	}
}
