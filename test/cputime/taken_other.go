//go:build !linux

package cputime

import "time"

var started = time.Now()

func taken() time.Duration { return time.Since(started) }
