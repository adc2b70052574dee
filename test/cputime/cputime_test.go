package cputime

import (
	"testing"
	"time"
)

func TestWhatWaitsCostsNothing(t *testing.T) {
	began := time.Now()
	waits := Of(func() { time.Sleep(200 * time.Millisecond) }) // to wait is what is measured
	if lasted := time.Since(began); waits > lasted/2 {
		t.Errorf("it took %s of %s", waits, lasted)
	}
	var sum int
	if counts := Of(func() {
		for i := range 20_000_000 {
			sum += i & sum
		}
	}); counts < time.Millisecond {
		t.Errorf("to count to %d took %s", sum, counts)
	}
}
