package rotation

import (
	"testing"
	"time"
)

// storeAgain has the source give the content of an earlier version as a new one.
func (s *script) storeAgain(version int) {
	s.t.Helper()
	value := s.value(version)
	s.store(false)
	value.Written, value.Revision = s.written(s.current), "again"
	next := s.state.Clone()
	next.NoteRead(&s.spec, value, nil, CausePlan, s.now, s.now)
	if !s.keep(next) {
		s.t.Fatal("the record is not kept")
	}
}

// A password that was accepted a while ago and is stored again may have been revoked since: whoever rotates often does both.
func TestAValueThatIsStoredAgainIsPublishedOnlyWhenItIsAcceptedAgain(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.revoke(1)
	s.storeAgain(1)
	if step := Next(&s.spec, &s.state, s.now); step.Do == Publish {
		t.Fatalf("it is published as %s, and no registry was asked about it since it came back", step.Judgement.Fate)
	}
	if judged, waits := s.state.Judge(&s.spec, s.now); !waits || judged.Fate != Hold {
		t.Errorf("its fate is %q, want %s", judged.Fate, Hold)
	}
}

func TestAValueThatIsStoredAgainAndAcceptedAgainIsPublished(t *testing.T) {
	s := begin(t)
	s.rotate(hostA)
	s.after(refresh + time.Minute)
	s.inUse(2)
	s.storeAgain(1)
	accounts := s.state.Waiting.Accounts
	for _, test := range s.state.tests(&s.spec, s.now) {
		if test.account.Print == accounts[0].Print && test.at.After(s.now.Add(MinInterval)) {
			t.Errorf("it is tested in %s", test.at.Sub(s.now))
		}
	}
	for _, account := range accounts {
		s.state.NoteAttempt(account, s.now)
		s.state.NoteAnswer(account, s.spec.Question(account), Answer{Verdict: Accepted}, s.now)
	}
	if judged, _ := s.state.Judge(&s.spec, s.now); judged.Fate != PublishProven {
		t.Errorf("its fate is %q", judged.Fate)
	}
}
