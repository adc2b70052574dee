package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program is a tester whose binary does this.
func program(t *testing.T, script string) *tester {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tests")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return &tester{dir: t.TempDir(), variable: "MUTANT_toy", binary: path}
}

func TestHowTestsEndIsNoErrorOfTheTool(t *testing.T) {
	for _, test := range []struct {
		name, script string
		atMost       time.Duration
		want         string
	}{
		{"they pass", "exit 0", time.Minute, passed},
		{"they fail", "echo '--- FAIL: TestB'; exit 1", time.Minute, "failed TestB"},
		{"they panic", "exit 2", time.Minute, "failed TestA"},
		{"they take too much of a processor", "exit 3", time.Minute, timedOut},
		{"they do not end", "sleep 300", 50 * time.Millisecond, timedOut},
		{"they do not end, nor does what they started", "sleep 300 & sleep 300", 50 * time.Millisecond, timedOut},
		{"they fail, and what they started holds their output", "sleep 300 & echo '--- FAIL: TestB'; exit 1", time.Minute, "failed TestB"},
		{"they take too much, and what they started holds their output", "sleep 300 & exit 3", time.Minute, timedOut},
		{"they pass, and what they started holds their output", "sleep 300 & exit 0", time.Minute, held},
		{"they pass, and what they started holds their output for a moment", "sleep 1 & exit 0", time.Minute, passed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := program(t, test.script).run(t.Context(), 1, "", test.atMost, "TestA")
			if err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestNothingThatTestsStartOutlivesThem(t *testing.T) {
	for name, script := range map[string]string{"they fail": "exit 1", "they pass": "exit 0", "they do not end": "sleep 300"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tests := program(t, "sleep 300 >/dev/null 2>&1 & echo $! >started; "+script)
			if _, _, err := tests.run(t.Context(), 1, "", time.Second/4, "TestA"); err != nil {
				t.Fatal(err)
			}
			written, err := os.ReadFile(filepath.Join(tests.dir, "started"))
			if err != nil {
				t.Fatal(err)
			}
			started, err := strconv.Atoi(strings.TrimSpace(string(written)))
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(10 * time.Second); runs(t, started); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("it still runs")
				}
			}
		})
	}
}

// runs reports whether a process runs. One that nobody has waited for yet does not.
func runs(t *testing.T, pid int) bool {
	t.Helper()
	state, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	var none *exec.ExitError // ps finds no such process
	if err != nil && !errors.As(err, &none) {
		t.Fatal(err)
	}
	return err == nil && !strings.HasPrefix(string(state), "Z")
}

func TestAMutantThatLeavesAProcessBehindIsNoticed(t *testing.T) {
	t.Parallel()
	tests := program(t, "sleep 300 & exit 0")
	tests.Tests = []test{{Name: "TestA", Reaches: map[int]bool{7: true}}}
	by, reached, err := tests.try(t.Context(), &mutant{number: 7}, "")
	if err != nil || !reached || by != held+" TestA" {
		t.Errorf("got %q, %t, %v", by, reached, err)
	}
}

func TestTestsThatLeaveAProcessBehindWithoutAMutantGiveNoFigure(t *testing.T) {
	t.Parallel()
	tests := program(t, `case "$1" in -test.list) echo TestA;; *) sleep 300 & esac`)
	err := tests.survey(t.Context(), filepath.Join(t.TempDir(), "kept.json"))
	if err == nil || !strings.Contains(err.Error(), "TestA of "+tests.dir+" "+held) || !strings.Contains(err.Error(), "let it wait") {
		t.Errorf("got %v", err)
	}
}
