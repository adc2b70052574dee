package rotation

import (
	"testing"
	"time"
)

// What was seen at a place tells later which answer is an older one: see rule 12.
func TestWhatIsKnownOfAPlaceAfterAnotherAnswer(t *testing.T) {
	early, middle, late := start, start.Add(time.Minute), start.Add(time.Hour)
	for _, test := range []struct {
		name          string
		before        Written
		answer        Written
		latest, count time.Time
	}{
		{"a higher version, later", Written{Version: 1, CreatedTime: early}, Written{Version: 2, CreatedTime: late}, time.Time{}, time.Time{}},
		{"a higher version of the same moment", Written{Version: 1, CreatedTime: early}, Written{Version: 2, CreatedTime: early}, time.Time{}, time.Time{}},
		{"a higher version, earlier: the clock was set back", Written{Version: 1, CreatedTime: late}, Written{Version: 2, CreatedTime: early}, late, time.Time{}},
		{"so, and it was later still before that", Written{Version: 1, CreatedTime: early, LatestTime: late}, Written{Version: 2, CreatedTime: middle}, late, time.Time{}},
		{"a lower version: the count began again", Written{Version: 7, CreatedTime: early}, Written{Version: 1, CreatedTime: late}, time.Time{}, late},
		{"the same version, written at another time: it began again, too", Written{Version: 1, CreatedTime: early}, Written{Version: 1, CreatedTime: late}, time.Time{}, late},
		{"the same version, written at the same time", Written{Version: 2, CreatedTime: middle, LatestTime: late, CountTime: early}, Written{Version: 2, CreatedTime: middle}, late, early},
		{"a higher version of a count that began again", Written{Version: 1, CreatedTime: middle, CountTime: early}, Written{Version: 2, CreatedTime: late}, time.Time{}, early},
	} {
		answer := test.answer
		answer.LatestTime, answer.CountTime = minute(-1), minute(-1) // no source gives these
		if answer.follow(&test.before); !answer.LatestTime.Equal(test.latest) || !answer.CountTime.Equal(test.count) {
			t.Errorf("%s: the latest time is %s, the count began at %s", test.name, answer.LatestTime, answer.CountTime)
		}
	}
}

func TestAnAnswerFollowsTheLatestOfItsPlace(t *testing.T) {
	value := func(place string, count time.Time) Value {
		return Value{Place: place, Written: Written{Version: 1, CreatedTime: start, CountTime: count}}
	}
	for _, test := range []struct {
		name    string
		waiting *Waiting
		want    time.Time
	}{
		{"the one that waits", &Waiting{Value: value("here", minute(2))}, minute(2)},
		{"the one in use, where another place's waits", &Waiting{Value: value("there", minute(2))}, minute(1)},
		{"the one in use, where none waits", nil, minute(1)},
	} {
		s := State{Kept: Kept{Value: value("here", minute(1)), Waiting: test.waiting}}
		s.Config = newWorld(1).value(1).Config
		answer := Value{Place: "here", Written: Written{Version: 2, CreatedTime: minute(9)}}
		if s.follow(&answer); !answer.CountTime.Equal(test.want) {
			t.Errorf("%s: its count began at %s, want %s", test.name, answer.CountTime, test.want)
		}
		elsewhere := Value{Place: "elsewhere", Written: Written{Version: 2, CreatedTime: minute(9)}}
		if s.follow(&elsewhere); !elsewhere.CountTime.IsZero() {
			t.Errorf("%s: one of another place counts since %s", test.name, elsewhere.CountTime)
		}
	}
}

// Vault is restored from a backup: its count goes on from there, and did not begin again.
func TestABackupThatIsBelievedBeginsNoCount(t *testing.T) {
	spec, s := asking()
	s.Waiting = nil
	s.Version, s.CreatedTime, s.Place = 5, minute(-10), "place"
	restored := Value{Config: s.Config, Digest: "4", SpecHash: spec.SpecHash, Place: "place", Written: Written{Version: 4, CreatedTime: minute(-20)}}
	for n := range olderReads {
		s.NoteRead(spec, restored, nil, CausePlan, minute(3*n), minute(3*n))
	}
	if s.Waiting == nil || s.Waiting.Version != 4 || !s.Waiting.CountTime.IsZero() {
		t.Errorf("waiting is %+v", s.Waiting)
	}
}
