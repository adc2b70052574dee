package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
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
	files, percent, limit := memoryLimits, debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { memoryLimits = files; debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	for _, test := range []struct {
		name  string
		files []string
		env   string
		want  int64
	}{
		{"there is a limit", []string{"/missing", file}, "", 1000000000 / 100 * usableShare},
		{"there is no file", []string{"/missing"}, "", math.MaxInt64},
		{"GOMEMLIMIT is set", []string{file}, "2GiB", math.MaxInt64},
	} {
		t.Run(test.name, func(t *testing.T) {
			debug.SetMemoryLimit(math.MaxInt64)
			if test.env != "" {
				t.Setenv("GOMEMLIMIT", test.env)
			}
			memoryLimits = test.files
			boundMemory()
			if got := debug.SetMemoryLimit(-1); got != test.want {
				t.Errorf("the limit is %d, want %d", got, test.want)
			}
			if got := debug.SetGCPercent(100); got != garbage {
				t.Errorf("garbage is collected at %d %%, want %d", got, garbage)
			}
		})
	}
}
