package fence

import "time"

// moment is one point in time by two clocks. CLOCK_MONOTONIC, which Go's time.Since goes by, runs on while a process is stopped, but
// not while the machine sleeps. The first clock here runs on through both. A virtual machine that its host paused may find that clock
// paused, too; its wall clock is set right soon after. So both are asked, and the one that says more time has passed is believed: a
// wall clock that is set forward closes the fence until the next renewal, and one that is set back changes nothing.
type moment struct {
	boot time.Duration
	wall time.Time
}

// now reads both clocks.
func now() moment {
	return moment{boot: sinceBoot(), wall: time.Now().Round(0)} // Round takes the monotonic reading off
}

// since is how long after another moment this one is.
func (m moment) since(earlier moment) time.Duration {
	return max(m.boot-earlier.boot, m.wall.Sub(earlier.wall))
}
