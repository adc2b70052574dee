// Package install installs regcred on a real node in each of the ways that docs/install.md shows, from what a release writes, and removes it in
// the orders that people use. Each test begins and ends with a cluster without regcred, so it needs a box of its own.
package install

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"regcred.dev/regcred/test/scenario"
)

var (
	s *scenario.Scenario
	// built is the release that all tests install. Its image is in the registry.
	built release
)

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // to build the programs from nothing takes long
	defer cancel()
	if s, err = scenario.New(""); err != nil {
		return 1, err
	}
	if !s.Box.HasNode {
		return 1, fmt.Errorf("these tests need a node that runs pods: run them as root on Linux")
	}
	folder, err := os.MkdirTemp("", "regcred-install-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(folder)
	if built, err = releaseIn(ctx, folder); err != nil {
		return 1, err
	}
	if err := built.push(ctx); err != nil {
		return 1, fmt.Errorf("push the image of the release: %w", err)
	}
	return m.Run(), nil
}

// await fails the test where a condition does not hold in time.
func await(t *testing.T, within time.Duration, condition func(context.Context) error) {
	t.Helper()
	must(t, scenario.Await(t.Context(), within, condition))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func kubectl(t *testing.T, arguments ...string) {
	t.Helper()
	must(t, s.Kubectl(t.Context(), arguments...))
}
