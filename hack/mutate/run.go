package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// tooMuch is how a binary ends that used too much processor time or memory.
	tooMuch = 3
	// linger is how long the output of a binary may stay open after its end, as long as go test lets it. What it started and killed
	// holds it until the kernel is done with it.
	linger = 5 * time.Second
)

// what became of tests.
const (
	passed   = "passed"
	failed   = "failed"
	timedOut = "took too long"
	// held fails with go test, too: the tests passed, and left behind a process that did not end.
	held = "ended, and what it started still held its output"
)

// failedTest is how a test binary names the test that failed.
var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// run runs tests with one mutant, for so much of a processor's time at most: on a busy machine the clock says nothing of a test.
// The outcome of a failure names the test that failed, where it says so. An error is one of the tool, such as a binary that does not start.
func (t *tester) run(ctx context.Context, mutant int, hits string, atMost time.Duration, names ...string) (outcome string, took time.Duration, err error) {
	ctx, stop := context.WithTimeout(ctx, patience*atMost)
	defer stop()
	command := exec.CommandContext(ctx, t.binary, "-test.short", "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
	command.Dir, command.WaitDelay = t.dir, linger
	command.Env = append(os.Environ(), t.variable+"="+strconv.Itoa(mutant), "MUTANT_HITS="+hits, "MUTANT_CPU="+atMost.String(), "GORACE=halt_on_error=1")
	inGroup(command)
	said, err := command.CombinedOutput()
	if state := command.ProcessState; state != nil {
		took = state.UserTime() + state.SystemTime()
		_ = command.Cancel() // what it left behind
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return timedOut, took, nil
	case err == nil:
		return passed, took, nil
	case errors.Is(err, exec.ErrWaitDelay):
		return held, took, nil
	case errors.As(err, &exit) && exit.ExitCode() == tooMuch:
		return timedOut, took, nil
	case errors.As(err, &exit):
		if found := failedTest.FindSubmatch(said); found != nil {
			return failed + " " + string(found[1]), took, nil
		}
		return failed + " " + names[0], took, nil
	}
	return "", took, err
}

// inGroup has Cancel end what a command started, too: a server would run on, and hold its output.
func inGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
