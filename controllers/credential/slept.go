package credential

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	kinds "sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/watchdog"
)

const (
	// lookAtClock is how often it is looked whether the machine slept.
	lookAtClock = 10 * time.Second
	// sleptFor is what is called sleep: a process that has to wait for a processor is late by less.
	sleptFor = 30 * time.Second
)

// onSleep looks at everything after the machine slept, or was paused by its host: what waits for its time waits by a clock that stood still.
func (r *Reconciler) onSleep() kinds.Source {
	return watchdog.Source("a machine that slept", func(ctx context.Context, q queue) error {
		go func() {
			ticker := time.NewTicker(lookAtClock)
			defer ticker.Stop()
			r.awaken(ctx, q, ticker.C)
		}()
		return nil
	})
}

// awaken looks at all RegistryCredentials where between two ticks more time passed than there is between them.
func (r *Reconciler) awaken(ctx context.Context, q queue, ticks <-chan time.Time) {
	last := r.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		now := r.Now()
		if slept := now.Sub(last) - lookAtClock; slept >= sleptFor {
			var list v1alpha1.RegistryCredentialList
			if r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy) != nil {
				continue // it is found at the next tick, too
			}
			log.FromContext(ctx).Info("The machine slept, or its clock was set, so that all RegistryCredentials are looked at", "for", slept.Round(time.Second))
			for i := range list.Items {
				q.Add(requestFor(list.Items[i].Name))
			}
		}
		last = now
	}
}
