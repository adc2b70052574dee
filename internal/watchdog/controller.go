package watchdog

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// Timeout ends the context of every Reconcile. It leaves room for a read of the source and a test at the registry, which are
	// bounded by 10 s each.
	Timeout = 30 * time.Second
	// BackOffEnd is the longest wait between two tries of something that fails.
	BackOffEnd = 2 * time.Minute
)

// Spec is what controllers differ in.
type Spec struct {
	Name    string
	Workers int
	// BackOffStart is the wait after a first failure. It doubles with each further one, up to BackOffEnd.
	BackOffStart time.Duration
	// Lanes bound how many items are worked on at once. Nil where all workers may be at work.
	Lanes *Lanes
}

// Controller adds a controller to a manager that d watches, if it is not nil. All controllers are made here, so that none lacks a
// timeout or an end of its back-off.
func Controller[request comparable](d *Watchdog, mgr ctrl.Manager, spec Spec, r reconcile.TypedReconciler[request]) (controller.TypedController[request], error) {
	return controller.NewTyped(spec.Name, mgr, options(d, spec, r))
}

// Named is a request that is no reconcile.Request, and says by which keys and values lines of the log name it.
type Named interface{ LogValues() []any }

// loggerFor has every line that is logged about a request name it. controller-runtime does that for reconcile.Request alone.
func loggerFor[request comparable](name string) func(*request) logr.Logger {
	return func(about *request) logr.Logger {
		return logWith(func() []any { return valuesOf(name, about) })
	}
}

// valuesOf are the keys and values by which lines about a request name it.
func valuesOf[request comparable](controller string, about *request) []any {
	values := []any{"controller", controller}
	if about == nil {
		return values
	}
	switch one := any(*about).(type) {
	case reconcile.Request:
		if one.Namespace != "" {
			values = append(values, "namespace", one.Namespace)
		}
		return append(values, "name", one.Name)
	case Named:
		return append(values, one.LogValues()...)
	}
	return append(values, "request", fmt.Sprint(*about))
}

func options[request comparable](d *Watchdog, spec Spec, r reconcile.TypedReconciler[request]) controller.TypedOptions[request] {
	one := &pulse{name: spec.Name, running: map[any]time.Time{}}
	d.watch(one)
	return controller.TypedOptions[request]{
		Reconciler: reconcile.TypedFunc[request](func(ctx context.Context, item request) (reconcile.Result, error) {
			one.begin(item, d.time())
			defer one.end(item)
			return r.Reconcile(ctx, item)
		}),
		MaxConcurrentReconciles: spec.Workers,
		LogConstructor:          loggerFor[request](spec.Name),
		ReconciliationTimeout:   Timeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[request](spec.BackOffStart, BackOffEnd),
		NewQueue: func(name string, limiter workqueue.TypedRateLimiter[request]) workqueue.TypedRateLimitingInterface[request] {
			queue := inLanes(priorityqueue.New(name, func(o *priorityqueue.Opts[request]) {
				o.Log, o.RateLimiter = ctrl.Log.WithValues("controller", name), limiter
			}), spec.Lanes, limiter)
			one.mu.Lock()
			defer one.mu.Unlock()
			one.waiting = queue.Len
			return queue
		},
	}
}
