package recovery

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// restAfterWake is how long a namespace's stuck pods are not woken again by its Secrets and ServiceAccounts after they were. Its people can
// change these as often as they like, and each change would have all pods looked at. What delivery wrote there wakes them besides: see
// onNotice.
const restAfterWake = 500 * time.Millisecond

// woken are the namespaces whose stuck pods were woken lately. The zero value is ready.
type woken struct {
	mu sync.Mutex
	// again says, for each of them, whether something changed since.
	again map[string]bool
}

// rests notes that something changed in a namespace that rests, and reports whether it does.
func (w *woken) rests(namespace string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, resting := w.again[namespace]
	if resting {
		w.again[namespace] = true
	}
	return resting
}

// begin reports whether the pods of a namespace are to be woken now. Where they were lately, they are woken when their rest ends.
func (w *woken) begin(namespace string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, resting := w.again[namespace]; resting {
		w.again[namespace] = true
		return false
	}
	if w.again == nil {
		w.again = map[string]bool{}
	}
	w.again[namespace] = false
	return true
}

// end is called when the rest of a namespace ends, and reports whether something changed since: then another rest begins.
func (w *woken) end(namespace string) (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	again = w.again[namespace]
	if again {
		w.again[namespace] = false
	} else {
		delete(w.again, namespace)
	}
	return again
}

// wakeBeside looks at the stuck pods beside an object that changed: those that have the ServiceAccount that account names, or all where
// it names none.
func wakeBeside[T client.Object](r *Reconciler, account func(T) string) handler.TypedEventHandler[T, reconcile.Request] {
	wake := func(ctx context.Context, object T, q queue) { r.wake(ctx, q, object.GetNamespace(), account(object)) }
	return handler.TypedFuncs[T, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[T], q queue) {
			wake(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[T], q queue) {
			wake(ctx, e.ObjectNew, q)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[T], q queue) {
			wake(ctx, e.Object, q)
		},
	}
}

// wake has the stuck pods of a namespace looked at, at once where they were not lately. A namespace in which none is stuck does not rest.
// While one rests its pods are not even listed: the handler of an informer serves all namespaces.
func (r *Reconciler) wake(ctx context.Context, q queue, namespace, account string) {
	if r.woken.rests(namespace) {
		return
	}
	stuck := r.stuckOf(ctx, namespace, account)
	if len(stuck) == 0 || !r.woken.begin(namespace) {
		return
	}
	addAll(q, stuck)
	r.restAfter(ctx, q, namespace)
}

// restAfter wakes all stuck pods of a namespace after its rest, if anything changed meanwhile.
func (r *Reconciler) restAfter(ctx context.Context, q queue, namespace string) {
	time.AfterFunc(restAfterWake, func() {
		if !r.woken.end(namespace) {
			return
		}
		if ctx.Err() != nil { // nobody looks any more: whoever starts again finds no rest
			r.woken.end(namespace)
			return
		}
		addAll(q, r.stuckOf(ctx, namespace, ""))
		r.restAfter(ctx, q, namespace)
	})
}

func addAll(q queue, requests []reconcile.Request) {
	for _, request := range requests {
		q.Add(request)
	}
}
