// Package e2e proves the whole job on a real kubelet: `make test` runs it on a box of its own.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"regcred.dev/regcred/test/scenario"
)

// s is the scenario that all tests of the package share: one installed operator, one Vault, one registry.
var s *scenario.Scenario

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	var err error
	if s, err = scenario.New(os.Getenv("REGCRED_BIN")); err != nil {
		return err
	}
	if !s.Box.HasNode {
		return fmt.Errorf("these tests need a node that runs pods: run them as root on Linux")
	}
	if err := s.Install(ctx); err != nil {
		return err
	}
	return s.ConnectVault(ctx)
}

// await fails the test where a condition does not hold in time.
func await(t *testing.T, within time.Duration, condition func(context.Context) error) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := scenario.Await(t.Context(), within, condition); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun).Round(10 * time.Millisecond)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
