package main

import (
	"context"
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"regcred.dev/regcred/internal/tracing"
	"regcred.dev/regcred/internal/version"
)

// sendLast is how long a process that ends waits for the collector to take what was not sent yet.
const sendLast = 3 * time.Second

// newTraces gives nil where nobody asked for traces: then nothing runs and nothing is kept.
func newTraces(ctx context.Context, mgr ctrl.Manager, o *options) (*tracing.Rotations, error) {
	if o.otlpEndpoint == "" {
		return nil, nil
	}
	pod, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	traces, err := tracing.New(ctx, tracing.Options{
		Endpoint: o.otlpEndpoint, Version: version.Get().Version, Namespace: o.namespace, Pod: pod, Now: time.Now, Log: ctrl.Log.WithName("traces"),
	})
	if err != nil {
		return nil, fmt.Errorf("--otlp-endpoint: %w", err)
	}
	return traces, mgr.Add(lastly{traces.Close})
}

// lastly runs a function when the manager stops, on every replica.
type lastly struct{ close func(context.Context) error }

// Start implements [sigs.k8s.io/controller-runtime/pkg/manager.Runnable].
func (l lastly) Start(ctx context.Context) error {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLast)
	defer cancel()
	if err := l.close(ctx); err != nil {
		ctrl.Log.Info("The last traces were not sent", "error", err.Error())
	}
	return nil
}

// NeedLeaderElection implements [sigs.k8s.io/controller-runtime/pkg/manager.LeaderElectionRunnable].
func (lastly) NeedLeaderElection() bool { return false }
