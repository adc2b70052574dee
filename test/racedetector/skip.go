// Package racedetector has what tests need of -race: things that happen at once, and the names of tests that gain nothing from it. hack/test.sh runs
// the packages of these once more without.
package racedetector

import "testing"

// Skip leaves a test to the run without the race detector, which makes each step ten times as slow: it has one goroutine, and measures memory or
// takes a great many steps.
func Skip(t testing.TB) {
	t.Helper()
	if On {
		t.Skip("one goroutine and many steps: runs without the race detector")
	}
}
