// Command cluster runs a box: a real Kubernetes control plane, a real Vault and a real registry, built from Go
// modules, and on Linux as root a real node beside them. See README.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"regcred.dev/regcred/hack/cluster/internal/box"
)

func main() {
	if ran, err := box.Internal(os.Args[1:]); ran {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	exit(err)
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "cluster:", err)
	os.Exit(1)
}
