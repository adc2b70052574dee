package operator

import (
	"reflect"
	"testing"
	"time"
)

// Times of this process are compared by Go's own clock until the machine slept, and by the wall clock from then on.
func TestWhichClockCountsAfterTheMachineSlept(t *testing.T) {
	own := time.Now()
	for _, test := range []struct {
		name string
		// wall is how far the wall clock is from Go's own, look for look.
		wall []time.Duration
		want bool
	}{
		{"both go alike", []time.Duration{0, 0, 0}, false},
		{"it is corrected a little", []time.Duration{0, sleepFor - 1, 0}, false},
		{"it slept", []time.Duration{0, sleepFor, sleepFor}, true},
		{"it slept, and the clock was set back after that", []time.Duration{0, sleepFor, -time.Hour}, true},
		{"the clock was set back", []time.Duration{0, -time.Hour, -time.Hour}, false},
		{"the clock was set back, and it slept after that", []time.Duration{0, -time.Hour, sleepFor - time.Hour}, true},
	} {
		var clock awake
		got := false
		for i, ahead := range test.wall {
			running := own.Add(time.Duration(i) * time.Hour)
			got = clock.sleeps(running.Add(ahead).Round(0), running)
		}
		if got != test.want {
			t.Errorf("%s: the wall clock counts: %t", test.name, got)
		}
	}
	var clock awake
	if now := clock.now(); reflect.DeepEqual(now, now.Round(0)) {
		t.Error("it did not sleep, and Go's own clock does not count")
	}
	clock.slept = true
	if now := clock.now(); !reflect.DeepEqual(now, now.Round(0)) || time.Since(now).Abs() > time.Minute {
		t.Errorf("it slept, and Go's own clock counts: %s", now)
	}
}
