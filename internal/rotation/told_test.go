package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// Who may write a secret in Vault may write it as often as they like, and each time Vault tells of it.
func TestASourceThatTellsAllTheTimeIsReadNowAndThen(t *testing.T) {
	for _, test := range []struct {
		name        string
		every, span time.Duration
		writes      bool
		least, most int
	}{
		{"an hour of events, twice a second", 500 * time.Millisecond, time.Hour, false, 100, 500},
		{"so, and each time there is another value", 500 * time.Millisecond, time.Hour, true, 100, 500},
		{"ten rotations in ten seconds", time.Second, 10 * time.Second, true, 9, 11},
		{"an event each minute", time.Minute, time.Hour, true, 0, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.spec.asked = nil
			reads := 0
			version := 1
			for passed := time.Duration(0); passed < test.span; passed += test.every {
				s.now = s.now.Add(test.every)
				s.state.Reads.ToldTime = s.now
				if test.writes {
					version++
				}
				if at, cause := s.state.readAt(&s.spec); !at.After(s.now) && cause == CauseTold {
					reads++
					s.state.NoteRead(&s.spec, s.value(version), nil, cause, s.now, s.now)
				} else if !at.After(s.now) {
					s.state.NoteRead(&s.spec, s.value(version), nil, cause, s.now, s.now)
				}
				s.now = s.now.Add(time.Nanosecond)
			}
			if reads < test.least || reads > test.most {
				t.Errorf("it was read %d times, want %d to %d", reads, test.least, test.most)
			}
		})
	}
}

// An engine of databases that the spec calls KV: each read makes a user, which is given back, and the engine tells of each that it made.
func TestWhatIsMadeForNothingIsNotMadeAgainBecauseTheSourceTellsOfIt(t *testing.T) {
	s := begin(t)
	s.spec.asked = nil
	made := 0
	for end := s.now.Add(6 * time.Hour); s.now.Before(end); s.now = s.now.Add(time.Second) {
		at, cause := s.state.readAt(&s.spec)
		if at.After(s.now) {
			continue
		}
		made++
		s.state.NoteFault(&s.spec, &source.Error{Reason: "WrongEngine", Stalled: true, Wasted: true}, s.now)
		s.state.Reads.ToldTime = s.now.Add(time.Millisecond)
		if cause == CauseTold {
			t.Fatal("it is read because the source told")
		}
	}
	if made > 30 {
		t.Errorf("%d were made in 6 hours", made)
	}
	s.state.NoteFault(&s.spec, &source.Error{Reason: "SecretDeleted", Stalled: true}, s.now)
	s.state.Reads.ToldTime = s.now.Add(time.Millisecond)
	if at, cause := s.state.readAt(&s.spec); cause != CauseTold || at.Sub(s.now) > time.Second {
		t.Errorf("what was deleted and is written again is read after %s (%s)", at.Sub(s.now), cause)
	}
}

// What is told while no read is due is not lost: it is read when that is allowed again.
func TestTheLastThatIsToldIsRead(t *testing.T) {
	s := begin(t)
	s.spec.asked = nil
	for range 1000 {
		s.now = s.now.Add(toldInterval)
		s.state.Reads.ToldTime = s.now
		if at, cause := s.state.readAt(&s.spec); !at.After(s.now) {
			s.state.NoteRead(&s.spec, s.value(1), nil, cause, s.now, s.now)
		}
	}
	s.state.Reads.ToldTime = s.now.Add(time.Millisecond)
	if at, _ := s.state.readAt(&s.spec); at.Sub(s.now) > 15*time.Second {
		t.Errorf("the last one is read after %s", at.Sub(s.now))
	}
}
