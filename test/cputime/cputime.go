// Package cputime measures what something costs a processor. Unlike the time by the clock, that is the same on a machine where others have the processors.
package cputime

import (
	"runtime"
	"time"
)

// Of is how long do keeps a processor busy, in its own goroutine alone. Where the system counts no time for a thread it is the time by the clock.
func Of(do func()) time.Duration {
	runtime.LockOSThread() // so that what is counted is of this goroutine
	defer runtime.UnlockOSThread()
	began := taken()
	do()
	return taken() - began
}
