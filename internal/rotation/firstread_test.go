package rotation

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// makes2 has version 2 wait, which the source made for the present spec and which ends in a day.
func (s *script) makes2() {
	s.waits(2)
	s.state.Waiting.Minted, s.state.Waiting.ExpireTime = true, s.now.Add(lifetime)
}

// TestWhenAProcessThatStartsReads has a value in use that was made just now by another process, and ends in three hours.
func TestWhenAProcessThatStartsReads(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *script)
		want   Cause
		after  time.Duration
	}{
		{"for two thirds of its life it does not", func(*script) {}, CausePlan, 2 * time.Hour},
		{"another one waits with its content: two thirds of that one's life", (*script).makes2, CausePlan, lifetime * 2 / 3},
		{"so, and the content is lost: two thirds of the one in use", func(s *script) {
			s.makes2()
			s.state.Waiting.Config = nil
		}, CausePlan, 2 * time.Hour},
		{"so, and nothing that is made is in use", func(s *script) {
			s.makes2()
			s.state.Minted = false
		}, CausePlan, lifetime * 2 / 3},
		{"so, and the one that waits was made for another spec", func(s *script) {
			s.makes2()
			s.state.Minted, s.state.Waiting.SpecHash = false, "other"
		}, CauseSpec, 0},
		{"the one that waits is not made", func(s *script) {
			s.waits(2)
			s.state.Minted = false
		}, CauseSpec, 0},
		{"the one that waits is the first that is refused", func(s *script) {
			s.makes2()
			s.say(2, Rejected, 0)
		}, CausePlan, verifyPeriod},
		{"many before the one in use were refused, and it is not", func(s *script) {
			s.state.Fruitless, s.state.ExpireTime = 4, s.now.Add(time.Hour)
		}, CausePlan, 40 * time.Minute},
		{"the source tells of what it made", func(s *script) { s.state.Reads.ToldTime = s.now.Add(time.Second) }, CausePlan, 2 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t)
			s.state.Reads, s.state.Minted = Reads{}, true
			s.state.Value.ReadTime, s.state.ExpireTime = s.now, s.now.Add(3*time.Hour)
			test.change(s)
			at, cause := s.state.readAt(&s.spec)
			if got := max(at.Sub(s.now), 0); cause != test.want || got != test.after {
				t.Errorf("it is read after %s because of %s, want %s and %s", got, cause, test.after, test.want)
			}
		})
	}
}

func TestAProcessThatStartsTakesAnAnswerOfAnotherObject(t *testing.T) {
	if got := (&State{}).MaxAge(&Spec{Refresh: refresh}, CauseSpec, start); got != refresh*3/5 {
		t.Errorf("it may be %s old", got)
	}
}

func TestWhichContentSurvivesARestart(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *Waiting) *Waiting
		want   bool
	}{
		{"of what each read would make anew", func(w *Waiting) *Waiting { return w }, true},
		{"not of what can be read again", func(w *Waiting) *Waiting { w.Minted = false; return w }, false},
		{"not what is lost already", func(w *Waiting) *Waiting { w.Config = nil; return w }, false},
		{"nothing where nothing waits", func(*Waiting) *Waiting { return nil }, false},
	} {
		_, s := asking()
		s.Waiting.Minted = true
		s.Waiting = test.change(s.Waiting)
		if got := s.KeepsWaiting(); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestWhenAValueThatWasReadIsReadAgain has the source read at start with an answer that ends in an hour, and is to be read every ten minutes.
func TestWhenAValueThatWasReadIsReadAgain(t *testing.T) {
	hour := func(change func(*source.Lease)) *source.Lease {
		lease := &source.Lease{ID: "a", Renewable: true, Term: time.Hour, Duration: time.Hour, Obtained: start}
		change(lease)
		return lease
	}
	renews := hour(func(*source.Lease) {})
	for _, test := range []struct {
		name   string
		minted bool
		lease  *source.Lease
		want   time.Time
	}{
		{"what each read gives again, at its period", false, nil, minute(10)},
		{"so, whatever lease another value has", false, renews, minute(10)},
		{"what each read makes, after two thirds of its life", true, nil, minute(40)},
		{"never, while its lease is prolonged", true, renews, never},
		{"at once, when its lease is prolonged no more", true, hour(func(l *source.Lease) { l.Spent = true }), time.Time{}},
		{"after two thirds of a lease that is not prolonged", true, hour(func(l *source.Lease) { l.Renewable = false }), minute(40)},
		{"after two thirds of what is left since it was prolonged for the last time", true,
			hour(func(l *source.Lease) { l.Renewable, l.Obtained = false, minute(30) }), minute(70)},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, s := asking()
			spec.Refresh, s.Waiting = 10*time.Minute, nil
			s.Value.ReadTime, s.Value.Lease = start, test.lease
			if test.lease != nil {
				s.ExpireTime = test.lease.End()
			}
			s.Reads = Reads{Last: start, ReadTime: start, Expire: minute(60), Minted: test.minted, SpecHash: spec.SpecHash}
			want := latest(test.want, start.Add(schedule.MinPeriod))
			if at, _ := s.readAt(spec); !at.Equal(want) {
				t.Errorf("after %s, want %s", at.Sub(start), want.Sub(start))
			}
		})
	}
}
