//go:build !linux

package fence

import (
	"syscall"
	"time"
)

var started = time.Now()

// sinceBoot is the monotonic clock, which may stand still while the machine sleeps. The operator's image is for Linux.
func sinceBoot() time.Duration { return time.Since(started) }

// giveUpAfter is for Linux only.
func giveUpAfter(time.Duration) func(network, address string, raw syscall.RawConn) error { return nil }
