package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheContainersLimitBoundsMemory(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       int64
		limited    bool
	}{
		{"a container of 512 MiB", "536870912\n", 536870912 / 100 * usableShare, true},
		{"a container without a limit", "max\n", 0, false},
		{"version 1 without a limit", "9223372036854771712\n", 0, false},
		{"nothing", "", 0, false},
		{"no memory at all", "0\n", 0, false},
		{"no number", "-\n", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, limited := usable(test.text); got != test.want || limited != test.limited {
				t.Errorf("got %d, %t", got, limited)
			}
		})
	}
}

func TestMemoryIsBoundedUnlessSomebodySaysOtherwise(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.max")
	if err := os.WriteFile(file, []byte("1000000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, limit := memoryLimits, debug.SetMemoryLimit(-1)
	t.Cleanup(func() { memoryLimits = files; debug.SetMemoryLimit(limit) })
	for _, test := range []struct {
		name    string
		files   []string
		env     map[string]string
		want    int64
		garbage bool // is bounded
	}{
		{"there is a limit", []string{"/missing", file}, nil, 1000000000 / 100 * usableShare, true},
		{"there is no file", []string{"/missing"}, nil, math.MaxInt64, true},
		{"GOMEMLIMIT is set", []string{file}, map[string]string{"GOMEMLIMIT": "2GiB"}, math.MaxInt64, true},
		{"GOGC is set", []string{file}, map[string]string{"GOGC": "100"}, 1000000000 / 100 * usableShare, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			debug.SetMemoryLimit(math.MaxInt64)
			for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
				value, set := test.env[name]
				if t.Setenv(name, value); !set { // whoever runs the tests may have set it
					_ = os.Unsetenv(name)
				}
			}
			memoryLimits = test.files
			var set atomic.Int64
			boundMemory(&heapFollower{set: func(percent int) int { return int(set.Swap(int64(percent))) }})
			if got := debug.SetMemoryLimit(-1); got != test.want {
				t.Errorf("the limit is %d, want %d", got, test.want)
			}
			if got := set.Load(); (got >= garbage) != test.garbage || !test.garbage && got != 0 {
				t.Errorf("garbage is collected at %d %%", got)
			}
		})
	}
}

func TestHowMuchMayBecomeGarbage(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 400, 1: 400, mib: 400, 4 * mib: 400, 10 * mib: 160, 16 * mib: 100, 23 * mib: 70, 31 * mib: 60, 32 * mib: 50, 1000 * mib: 50} {
		got := percentOf(live)
		if got != want {
			t.Errorf("with %d bytes in use: %d %%, want %d", live, got, want)
		}
		// Go's own least heap grows with the percentage: 4 MiB for each hundred.
		if next := max(live+live*uint64(got)/100, 4*mib*uint64(got)/100); next < leastGarbage || live <= 4*mib && next > 2*leastGarbage {
			t.Errorf("with %d bytes in use the next collection is at %d", live, next)
		}
	}
}

func TestEachCollectionSetsHowMuch(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	collecting := &heapFollower{set: debug.SetGCPercent}
	collecting.follow()
	held := make([]byte, 2*100*leastGarbage/garbage) // with so much in use the least does not count
	for end := time.Now().Add(20 * time.Second); collecting.percent.Load() != garbage; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("it is %d %% still", collecting.percent.Load())
		}
	}
	runtime.KeepAlive(held) // and no longer
	for end := time.Now().Add(20 * time.Second); collecting.percent.Load() == garbage; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("it stays, though little is in use")
		}
	}
}
