package cputime

import (
	"time"

	"golang.org/x/sys/unix"
)

// taken is the time that this thread had a processor (getrusage(2)).
func taken() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
