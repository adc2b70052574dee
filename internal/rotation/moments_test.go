package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
)

// The period counts from when the value was read, perhaps for another object. A wait that has a reason of its own counts from when this process asked:
// by the age of an answer that is shared, the source would be asked every few seconds.
func TestAWaitForAReasonCountsFromWhenThisProcessAsked(t *testing.T) {
	const shared = 30 * time.Minute // how old the answer was
	for _, test := range []struct {
		name   string
		change func(spec *Spec, s *State)
		after  time.Duration
	}{
		{"nothing but the period", func(*Spec, *State) {}, time.Hour - shared},
		{"an older answer was given twice", func(_ *Spec, s *State) { s.Older = &Older{Reads: 2} }, olderInterval},
		{"an older answer was given once", func(_ *Spec, s *State) { s.Older = &Older{Reads: 1} }, schedule.MinPeriod},
		{"the content of the value that waits is lost", func(_ *Spec, s *State) { s.Waiting.Config = nil }, refusedInterval},
		{"what the source made is refused", func(spec *Spec, s *State) {
			s.Reads.Minted, s.Reads.Expire, s.Fruitless = true, minute(60*60), 1
			s.know(spec, 2, Test{Verdict: Rejected})
		}, time.Hour},
		{"a rotation that was announced is late by five minutes", func(_ *Spec, s *State) { s.Reads.Missed = minute(-5) }, 5 * time.Minute},
	} {
		spec, s := asking()
		spec.Refresh = time.Hour
		s.Reads = Reads{Last: start, ReadTime: start.Add(-shared), SpecHash: spec.SpecHash}
		test.change(spec, s)
		if at := s.plannedRead(spec); at.Sub(start) != test.after {
			t.Errorf("%s: it is read after %s, want %s", test.name, at.Sub(start), test.after)
		}
	}
}

// What registries said before a value came proves nothing of it, and what happens to a value is counted from then: none of these moments is that of
// another one, be it of the read, which may be of long ago, or of the value before.
func TestWhatBecomesOfAValueCountsFromWhenThatHappened(t *testing.T) {
	spec, s := asking()
	s.Waiting, s.ChangeTime, s.VerifiedTime = nil, minute(-60), minute(-50)
	value := (&world{now: start}).value(2)
	value.SpecHash, value.ReadTime = spec.SpecHash, minute(-30) // another object's answer
	if s.NoteRead(spec, value, nil, CausePlan, minute(1), minute(2)); s.Waiting == nil || !s.Waiting.FirstSeen.Equal(minute(2)) {
		t.Fatalf("it waits: %+v", s.Waiting)
	}
	s.know(spec, 2, Test{Verdict: Accepted, Time: minute(3)})
	if s.Publish(spec, minute(4)); !s.ChangeTime.Equal(minute(4)) || !s.VerifiedTime.Equal(minute(4)) {
		t.Errorf("it is in use since %s, and accepted since %s", s.ChangeTime, s.VerifiedTime)
	}
	if before := s.Previous; before == nil || !before.ReplacedTime.Equal(minute(4)) || !before.ChangeTime.Equal(minute(-60)) {
		t.Errorf("the one before was replaced: %+v", before)
	}
	if s.Restore(spec, minute(9)); !s.ChangeTime.Equal(minute(9)) || !s.VerifiedTime.Equal(minute(-50)) || !s.Waiting.FirstSeen.Equal(minute(9)) || !s.Waiting.ChangeTime.Equal(minute(4)) {
		t.Errorf("after a restore in use since %s, and waiting is %+v", s.ChangeTime, s.Waiting)
	}
}

// A read of the value that waits says all of it anew but when it was read: somebody may have written another end beside the same password.
func TestWhatAReadOfTheValueThatWaitsChanges(t *testing.T) {
	spec, s := asking()
	first, seen := s.Waiting.ReadTime, s.Waiting.FirstSeen
	value := s.Waiting.Value
	value.ReadTime, value.ExpireTime, value.Revision, value.Version = minute(5), minute(90), "again", 9
	s.NoteRead(spec, value, nil, CausePlan, minute(5), minute(5))
	if got := s.Waiting; !got.ReadTime.Equal(first) || !got.FirstSeen.Equal(seen) || !got.ExpireTime.Equal(minute(90)) || got.Revision != "again" || got.Version != 9 {
		t.Errorf("%+v", got)
	}
}

// The same password can be written again after its place was removed: what is older than that is known all the same.
func TestThatTheCountOfAPlaceBeganAgainIsKnownOfTheContentInUse(t *testing.T) {
	spec, s := asking()
	s.Waiting, s.Place, s.Written = nil, "place", Written{Version: 7, CreatedTime: start}
	value := s.Value
	value.Written = Written{Version: 1, CreatedTime: minute(10)}
	if s.NoteRead(spec, value, nil, CauseRequest, minute(11), minute(11)); s.Version != 1 || !s.CountTime.Equal(minute(10)) {
		t.Errorf("version %d of a count that began at %s", s.Version, s.CountTime)
	}
}

// Values that each read makes anew are held together, for the registry's silence. What it said of the value in use before the one came that waits now is
// of before it all the same: else a registry that fell silent would hold them for ever.
func TestWhatARegistrySaidBeforeAValueCameIsOfBeforeHoweverLongOthersWereHeld(t *testing.T) {
	for name, test := range map[string]struct {
		said int // minutes from when the value came
		want Fate
	}{
		"it accepted the value in use before": {-1, PublishUnproven},
		"it accepted the value in use since":  {1, HoldOn},
		"it accepted it when the hold began":  {-60, PublishUnproven},
		"it accepted it in that very moment":  {0, HoldOn},
	} {
		spec, s := asking()
		s.Waiting.HeldSince = minute(-60)
		s.know(spec, 1, Test{Verdict: Accepted, Time: minute(test.said), Since: minute(-90), Attempt: minute(2), Silent: 1})
		s.know(spec, 2, Test{Attempt: minute(2), Silent: 1})
		for _, account := range s.Accounts[1:] { // the other registry has the same login before and after
			s.Waiting.Accounts = append(s.Waiting.Accounts[:1], account)
		}
		if got, _ := s.Judge(spec, minute(3)); got.Fate != test.want {
			t.Errorf("%s: it is %s, want %s", name, got.Fate, test.want)
		}
	}
}
