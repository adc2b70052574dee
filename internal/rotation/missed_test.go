package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/source"
)

// static is a world whose source announces that it rotates version 1 in an hour, and is read once a day.
func static(t *testing.T) (*script, Value) {
	t.Helper()
	s := begin(t)
	s.spec.Refresh = 24 * time.Hour
	value := s.value(1)
	value.Minted, value.Lease = false, nil
	value.ReadTime, value.RotateTime = s.now, s.now.Add(time.Hour)
	s.state.NoteRead(&s.spec, value, nil, CausePlan, s.now, s.now)
	return s, value
}

// TestARotationThatComesLateIsNotMissed: with a rotation schedule, Vault's database engine announces the next rotation as soon as this one is
// due, and does it some time later.
func TestARotationThatComesLateIsNotMissed(t *testing.T) {
	s, value := static(t)
	var waits []time.Duration
	for range 8 {
		at, _ := s.state.readAt(&s.spec)
		waits = append(waits, at.Sub(s.now).Round(time.Second))
		s.now = at
		value.ReadTime, value.RotateTime = s.now, s.now.Add(time.Hour)
		s.state.NoteRead(&s.spec, value, nil, CausePlan, s.now, s.now)
	}
	if waits[0] < time.Hour || waits[1] > 10*time.Second || waits[7] > 15*time.Minute || waits[7] < time.Minute {
		t.Errorf("it is read after %s", waits)
	}
	rotated := s.value(2)
	rotated.Minted, rotated.Lease = false, nil
	rotated.ReadTime, rotated.RotateTime = s.now, s.now.Add(time.Hour)
	s.state.NoteRead(&s.spec, rotated, nil, CausePlan, s.now, s.now)
	if at, _ := s.state.readAt(&s.spec); at.Sub(s.now) < time.Hour {
		t.Errorf("after the rotation it is read after %s", at.Sub(s.now))
	}
}

func TestWhichRotationsAreMissed(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration
		change func(*Value)
		missed bool
	}{
		{"it is read before the rotation", 30 * time.Minute, func(*Value) {}, false},
		{"it is read in that moment, and is the same", time.Hour, func(*Value) {}, true},
		{"it is read after it, and is the same", time.Hour + time.Minute, func(*Value) {}, true},
		{"it is read after it, and is another one", time.Hour + time.Minute, func(v *Value) { v.Digest = "other" }, false},
		{"it was read for another spec before", time.Hour + time.Minute, func(v *Value) { v.SpecHash = "other" }, false},
		{"the answer that was shared is older than the rotation", 30 * time.Minute, func(v *Value) { v.RotateTime = time.Time{} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, value := static(t)
			value.ReadTime = s.now.Add(test.after)
			test.change(&value)
			s.state.NoteRead(&s.spec, value, nil, CausePlan, value.ReadTime, value.ReadTime)
			if missed := !s.state.Reads.Missed.IsZero(); missed != test.missed {
				t.Errorf("it is missed: %t", missed)
			}
		})
	}
}

// TestWhatIsMadeForNothingIsMadeEverMoreRarely: a key that is written wrongly in the spec has an engine make and revoke a credential.
func TestWhatIsMadeForNothingIsMadeEverMoreRarely(t *testing.T) {
	wasted := &source.Error{Reason: "KeyMissing", Stalled: true, Wasted: true}
	s := begin(t)
	made, until := 0, s.now.Add(24*time.Hour)
	for s.now.Before(until) {
		s.state.NoteFault(&s.spec, wasted, s.now)
		made++
		at, _ := s.state.readAt(&s.spec)
		if wait := at.Sub(s.now); made == 1 && wait > refresh || wait > wastedInterval {
			t.Fatalf("after %d it is read after %s", made, wait)
		}
		s.now = at
	}
	if made > 60 {
		t.Errorf("%d credentials were made in a day", made)
	}
	for name, change := range map[string]func(*script){
		"the spec changes":        func(s *script) { s.spec.SpecHash = "other" },
		"a person asks":           func(s *script) { s.spec.RefreshRequest = "now" },
		"the connection is woken": func(s *script) { s.state.Reads.WokenTime = s.now.Add(time.Second) },
	} {
		again := &script{world: s.world, t: t}
		again.state, again.spec = s.state.Clone(), s.spec
		change(again)
		if at, _ := again.state.readAt(&again.spec); at.After(s.now) {
			t.Errorf("when %s it is read after %s", name, at.Sub(s.now))
		}
	}
	s.spec.SpecHash = "other"
	s.state.NoteFault(&s.spec, wasted, s.now)
	if at, _ := s.state.readAt(&s.spec); at.Sub(s.now) > refresh {
		t.Errorf("for another spec it is read after %s", at.Sub(s.now))
	}
	s.state.NoteRead(&s.spec, s.value(2), nil, CausePlan, s.now, s.now)
	if s.state.Reads.Wasted != 0 {
		t.Error("what was made for nothing is counted on after a good one")
	}
}

// TestWhatIsMadeAndNeverEndsIsMadeOnce: an engine that takes a POST and tells of no end would make a token at every refresh period.
func TestWhatIsMadeAndNeverEndsIsMadeOnce(t *testing.T) {
	s := begin(t)
	value := s.value(2)
	value.Minted, value.Lease, value.ExpireTime, value.ReadTime = true, nil, time.Time{}, s.now
	s.state.NoteRead(&s.spec, value, nil, CausePlan, s.now, s.now)
	s.state.Value, s.state.Waiting = value, nil
	if at, _ := s.state.readAt(&s.spec); at.Sub(s.now) < 365*24*time.Hour {
		t.Errorf("it is read again after %s", at.Sub(s.now))
	}
	s.state.Reads = Reads{} // the process is new
	if at, _ := s.state.readAt(&s.spec); at.Sub(s.now) < 365*24*time.Hour {
		t.Errorf("after a restart it is read again after %s", at.Sub(s.now))
	}
	s.spec.RefreshRequest = "now"
	if at, _ := s.state.readAt(&s.spec); at.After(s.now) {
		t.Errorf("when a person asks it is read after %s", at.Sub(s.now))
	}
}
