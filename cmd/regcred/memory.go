package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
)

// garbage is how much memory may become garbage before it is collected, in percent of what is in use. Each change of a pod that a tenant
// made large is several megabytes of it, and what is in use is little: the time that this costs is little, too.
const garbage = 50

// leastGarbage is how many bytes may become garbage in any case: where little is in use, half of that is made within a moment, and most of the
// time goes into collecting it.
const leastGarbage = 16 << 20

// usableShare is how much of the container's memory limit Go may use, in percent, before it collects garbage as often as it must. The
// rest is for what Go does not count, such as the pages of the program.
const usableShare = 80

// memoryLimits are the files in which the kernel says how much memory a container may use, for cgroups of version 2 and 1.
var memoryLimits = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// boundMemory keeps resident memory low, and below the container's limit. The environment variables GOGC and GOMEMLIMIT override it.
func boundMemory(collecting *heapFollower) {
	if _, set := os.LookupEnv("GOGC"); !set {
		collecting.follow()
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); set {
		return
	}
	for _, file := range memoryLimits {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the other version, or no container
		}
		if limit, limited := usable(string(text)); limited {
			debug.SetMemoryLimit(limit)
		}
		return
	}
}

// heapFollower sets how much may become garbage by what is in use. set is [debug.SetGCPercent], and percent what was set last.
type heapFollower struct {
	set     func(percent int) int
	percent atomic.Int64
}

// follow sets it now and after each collection.
func (f *heapFollower) follow() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if percent := percentOf(live[0].Value.Uint64()); f.percent.Swap(int64(percent)) != int64(percent) {
		f.set(percent)
	}
	type collected struct{ _ *byte } // a type with a pointer: small values without one share their place with others
	runtime.AddCleanup(&collected{}, func(struct{}) { f.follow() }, struct{}{})
}

// percentOf is how many percent of so many bytes in use may become garbage. It is rounded up, because each change stops the program for a moment.
func percentOf(live uint64) int {
	const most, step = 400, 10 // Go collects nothing before the heap has 4 MiB for each 100 percent: so this is leastGarbage, too
	if live == 0 {
		return most // nothing was collected yet
	}
	percent := (leastGarbage*100/live + step - 1) / step * step
	return int(min(max(percent, garbage), most))
}

// usable is how many bytes Go may use, by what the kernel says of the limit. There is none where it says "max", or more than any machine
// has.
func usable(text string) (int64, bool) {
	const most = 1 << 50
	limit, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || limit <= 0 || limit > most {
		return 0, false
	}
	return limit / 100 * usableShare, true
}
