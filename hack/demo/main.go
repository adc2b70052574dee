// Command demo plays the incident that regcred ends on a running box, and ends with a table of how long everything took. It
// fails if anything did not heal.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"regcred.dev/regcred/test/scenario"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	binary := os.Getenv("REGCRED_BIN")
	if binary == "" {
		return errors.New("REGCRED_BIN must name the operator's program: run `make demo`")
	}
	s, err := scenario.New(binary)
	if err != nil {
		return err
	}
	d := &demo{Scenario: s, out: os.Stdout, begun: time.Now()}
	for _, act := range []func(context.Context) error{d.prepare, d.incident, d.cure, d.rotation, d.table} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}
