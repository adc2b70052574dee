package operator

import (
	"sync"
	"time"
)

// sleepFor is by how much the wall clock runs ahead of Go's own clock at least where the machine slept: both are moved alike where the time is corrected
// bit by bit.
const sleepFor = 5 * time.Second

// awake is the clock of who waits for hours. Go's own, which decides about times of one process, stands still while the machine sleeps, and may while
// its host pauses it: who goes by that reads a source later by as much. The wall clock can be set back, and then a value that ends would seem to end
// later. So Go's own decides until the wall clock ran ahead of it, and the wall clock alone from then on. The zero value is ready.
type awake struct {
	mu    sync.Mutex
	begin time.Time
	// least is by how much the wall clock was ahead of Go's own at least since the begin: less than zero where it was set back.
	least time.Duration
	slept bool
}

func (a *awake) now() time.Time {
	now := time.Now()
	if a.sleeps(now, now) {
		return now.Round(0) // which takes Go's own reading off
	}
	return now
}

// sleeps reports whether the machine ever slept, by what the wall clock shows and what Go's own does.
func (a *awake) sleeps(wall, own time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begin.IsZero() {
		a.begin = own
	}
	ahead := wall.Round(0).Sub(a.begin.Round(0)) - own.Sub(a.begin)
	a.least = min(a.least, ahead)
	a.slept = a.slept || ahead-a.least >= sleepFor
	return a.slept
}
