package schedule_test

import (
	"testing"
	"time"

	"regcred.dev/regcred/internal/schedule"
)

var read = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestNext(t *testing.T) {
	for _, test := range []struct {
		name      string
		expire    time.Duration // after the read; zero: not known
		minted    bool
		unplanned bool
		period    time.Duration
		random    float64
		want      time.Duration // after the read
	}{
		{"a value without an end is read at the refresh period", 0, false, false, time.Minute, 0, time.Minute},
		{"the period is exact: those who shared a read share the next one", 0, false, false, time.Minute, 0.9999, time.Minute},
		{"after a start it is shorter once, so that not all places are read together for ever", 0, false, true, time.Minute, 0.5, 48 * time.Second},
		{"by two fifths at most, so that the last answer does not do", 0, false, true, time.Minute, 0.9999, 36*time.Second + 2400*time.Microsecond},
		{"or not at all", 0, false, true, time.Minute, 0, time.Minute},
		{"so, where it has a far end", time.Hour, false, true, time.Minute, 0.5, 48 * time.Second},
		{"a far end does not matter to what is cheap to read", time.Hour, false, false, time.Minute, 0, time.Minute},
		{"a near end makes it earlier", 30 * time.Second, false, false, time.Minute, 0, 20 * time.Second},
		{"a minted value is kept for two thirds of its life", time.Hour, true, false, time.Minute, 0, 40 * time.Minute},
		{"also when that is sooner than the period", 30 * time.Second, true, false, time.Minute, 0, 20 * time.Second},
		{"a minted value without an end is read at the period", 0, true, false, time.Minute, 0, time.Minute},
		{"a value that ended before it was read is read at the period", -time.Hour, false, false, time.Minute, 0, time.Minute},
		{"also where it is minted", -time.Hour, true, false, time.Minute, 0, time.Minute},
		{"never sooner than the shortest period", 3 * time.Second, true, false, time.Minute, 0, schedule.MinPeriod},
		{"not even after a start", 0, false, true, schedule.MinPeriod, 0.9, schedule.MinPeriod},
		{"a minted value is kept for two thirds of its life after a start, too", time.Hour, true, true, time.Minute, 0, 40 * time.Minute},
		{"not all minted values end their wait together", time.Hour, true, false, time.Minute, 0.5, 38 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := schedule.LastRead{Time: read, Minted: test.minted, Unplanned: test.unplanned}
			if test.expire != 0 {
				last.Expire = read.Add(test.expire)
			}
			if got := schedule.Next(last, test.period, test.random).Sub(read); got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}

func TestNextAfterAnAnnouncedRotation(t *testing.T) {
	for _, test := range []struct {
		name   string
		rotate time.Duration // after the read
		random float64
		want   time.Duration
	}{
		{"one before the next read is looked at just after it", 20 * time.Second, 0, 26 * time.Second},
		{"not all look together", 20 * time.Second, 0.5, 29 * time.Second},
		{"one just after the read", time.Second, 0, 7 * time.Second},
		{"one after the next read changes nothing", time.Hour, 0, time.Minute},
		{"one that has passed changes nothing", -time.Second, 0, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := schedule.LastRead{Time: read, Rotate: read.Add(test.rotate)}
			if got := schedule.Next(last, time.Minute, test.random).Sub(read); got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}

func TestRenewal(t *testing.T) {
	for _, test := range []struct {
		name       string
		life, term time.Duration
		random     float64
		want       time.Duration
	}{
		{"a whole term: at two thirds", time.Hour, time.Hour, 0, 40 * time.Minute},
		{"not all together", time.Hour, time.Hour, 0.5, 38 * time.Minute},
		{"two thirds of a term: a third of the term is left", 40 * time.Minute, time.Hour, 0, 20 * time.Minute},
		{"a sixth of a term: a third of the way passes", 9 * time.Minute, time.Hour, 0, 3 * time.Minute},
		{"more than a term", 2 * time.Hour, time.Hour, 0, 80 * time.Minute},
		{"never sooner than the shortest period", time.Second, time.Hour, 0, schedule.MinPeriod},
		{"one that has ended", -time.Hour, time.Hour, 0, schedule.MinPeriod},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := schedule.Renewal(read, read.Add(test.life), test.term, test.random).Sub(read); got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}

func TestAfterFailure(t *testing.T) {
	for _, test := range []struct {
		name     string
		failures int
		told     time.Duration
		random   float64
		want     time.Duration
	}{
		{"the first", 1, 0, 0, 5 * time.Second},
		{"no count is taken for the first", 0, 0, 0, 5 * time.Second},
		{"the second", 2, 0, 0, 10 * time.Second},
		{"the fifth", 5, 0, 0, 80 * time.Second},
		{"waits end at two minutes", 6, 0, 0, 2 * time.Minute},
		{"however many there were", 1_000_000, 0, 0, 2 * time.Minute},
		{"randomness makes it earlier", 6, 0, 0.5, 114 * time.Second},
		{"the other side knows better, when it is sooner", 1_000_000, 20 * time.Second, 0, 20 * time.Second},
		{"the other side knows better, when it is later", 1, time.Hour, 0, time.Hour},
		{"never before it was told", 1, time.Minute, 0.5, 63 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := schedule.AfterFailure(read, test.failures, test.told, test.random).Sub(read); got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}

func TestAfterStall(t *testing.T) {
	for _, test := range []struct {
		name         string
		period, told time.Duration
		random       float64
		want         time.Duration
	}{
		{"at the refresh period", time.Minute, 0, 0, time.Minute},
		{"randomness makes it earlier", time.Minute, 0, 0.5, 57 * time.Second},
		{"a long period does not hide what was fixed", 24 * time.Hour, 0, 0, schedule.MaxStall},
		{"never before it was told", time.Minute, 70 * time.Second, 0, 70 * time.Second},
		{"never sooner than the shortest period", time.Second, 0, 0.9, schedule.MinPeriod},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := schedule.AfterStall(read, test.period, test.told, test.random).Sub(read); got != test.want {
				t.Errorf("after %s, want %s", got, test.want)
			}
		})
	}
}

func FuzzNext(f *testing.F) {
	f.Add(int64(60), int64(0), true, false, 0.0)
	f.Add(int64(5), int64(-7), false, true, 0.99)
	f.Add(int64(86400), int64(31536000), true, true, 0.5)
	f.Fuzz(func(t *testing.T, period, life int64, minted, unplanned bool, random float64) {
		if period < 5 || period > 86400 || life < -1e9 || life > 1e9 || !(random >= 0 && random < 1) {
			t.Skip()
		}
		last := schedule.LastRead{Time: read, Expire: read.Add(time.Duration(life) * time.Second), Minted: minted, Unplanned: unplanned}
		wait := schedule.Next(last, time.Duration(period)*time.Second, random).Sub(read)
		if longest := max(time.Duration(period), time.Duration(life)*2/3+1, 5) * time.Second; wait < schedule.MinPeriod || wait > longest {
			t.Errorf("waits %s", wait)
		}
	})
}

func TestWhatEndsOrIsRotatedAsItIsReadIsReadAtThePeriod(t *testing.T) {
	for name, last := range map[string]schedule.LastRead{
		"it ended in the moment of the read":             {Time: read, Expire: read, Minted: true},
		"it was to be rotated in the moment of the read": {Time: read, Rotate: read},
	} {
		if got := schedule.Next(last, time.Minute, 0).Sub(read); got != time.Minute {
			t.Errorf("%s: after %s, want a minute", name, got)
		}
	}
}

// A source that is late for good is asked ever more rarely, and one that is late by a moment soon.
func TestHowSoonARotationThatIsLateIsLookedForAgain(t *testing.T) {
	for _, test := range []struct {
		late, want time.Duration
		random     float64
	}{
		{0, 6 * time.Second, 0}, {5 * time.Second, 6 * time.Second, 0}, {10 * time.Second, 10 * time.Second, 0}, {time.Hour, time.Hour, 0}, {time.Hour, 57 * time.Minute, 0.5},
	} {
		if got := schedule.Overdue(read.Add(-test.late), read, test.random).Sub(read); got != test.want {
			t.Errorf("late by %s: after %s, want %s", test.late, got, test.want)
		}
	}
}
