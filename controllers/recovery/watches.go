package recovery

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/target"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

// onStuck lets through pods that are stuck, those that hung before, and those that are expected to run.
func (r *Reconciler) onStuck() predicate.TypedPredicate[*corev1.Pod] {
	return predicate.TypedFuncs[*corev1.Pod]{
		CreateFunc: func(e event.TypedCreateEvent[*corev1.Pod]) bool { return diagnosis.IsStuck(e.Object) },
		UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Pod]) bool {
			return diagnosis.IsStuck(e.ObjectOld) || diagnosis.IsStuck(e.ObjectNew)
		},
		// A pod that leaves the phase Pending looks like one that is deleted, in its last state that was seen.
		DeleteFunc: func(e event.TypedDeleteEvent[*corev1.Pod]) bool {
			return r.memories.knows(client.ObjectKeyFromObject(e.Object)) || r.successors.awaits(e.Object)
		},
	}
}

// onSpec lets through what can change a diagnosis: of the status only since when new pods get their Secret.
func onSpec() predicate.TypedPredicate[*v1alpha1.RegistryCredential] {
	return predicate.TypedFuncs[*v1alpha1.RegistryCredential]{UpdateFunc: func(e event.TypedUpdateEvent[*v1alpha1.RegistryCredential]) bool {
		return wakeup.Renewed(e.ObjectOld, e.ObjectNew) || !equality.Semantic.DeepEqual(e.ObjectOld.Status.Attachment, e.ObjectNew.Status.Attachment)
	}}
}

func onMetadata[T client.Object]() predicate.TypedPredicate[T] {
	return predicate.TypedFuncs[T]{UpdateFunc: func(e event.TypedUpdateEvent[T]) bool {
		return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) || !maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations())
	}}
}

// stuckWhere are the stuck pods of one namespace, or of all with "", that a test lets through.
func (r *Reconciler) stuckWhere(ctx context.Context, namespace string, test func(namespace, account string) bool) []reconcile.Request {
	var requests []reconcile.Request
	for _, key := range r.runners.in(namespace) {
		if test(key.Namespace, "") {
			requests = append(requests, reconcile.Request{NamespacedName: key})
		}
	}
	var pods corev1.PodList
	if r.Pods.List(ctx, &pods, client.InNamespace(namespace), client.UnsafeDisableDeepCopy) != nil {
		return requests // the cache is not there yet: it sends its own events when it is
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; diagnosis.IsStuck(pod) && test(pod.Namespace, pod.Spec.ServiceAccountName) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)})
		}
	}
	return requests
}

func every(string, string) bool { return true }

func (r *Reconciler) stuckIn(ctx context.Context, namespace *corev1.Namespace) []reconcile.Request {
	return r.stuckWhere(ctx, namespace.Name, every)
}

// stuckOf are the stuck pods of a namespace that have a ServiceAccount of this name, or all of them with "".
func (r *Reconciler) stuckOf(ctx context.Context, namespace, account string) []reconcile.Request {
	return r.stuckWhere(ctx, namespace, func(_, name string) bool { return account == "" || name == account || name == "" })
}

// stuckFor are the stuck pods of the namespaces that a RegistryCredential selects.
func (r *Reconciler) stuckFor(ctx context.Context, credential *v1alpha1.RegistryCredential) []reconcile.Request {
	selector, err := target.New(&credential.Spec.Target, r.protected())
	if err != nil {
		return nil
	}
	selected := map[string]bool{}
	return r.stuckWhere(ctx, "", func(name, _ string) bool {
		if _, known := selected[name]; !known {
			var namespace corev1.Namespace
			err := r.Cluster.Get(ctx, client.ObjectKey{Name: name}, &namespace)
			selected[name] = err == nil && selector.Selects(namespace.Name, namespace.Labels)
		}
		return selected[name]
	})
}

// onNotice looks at the stuck pods of RegistryCredentials that were named to a Notifier, of each once in a short while.
func (r *Reconciler) onNotice(notifier *wakeup.Notifier, test func() func(*v1alpha1.RegistryCredential, string) bool) source.TypedSource[reconcile.Request] {
	return watchdog.Source("changed deliveries or values of RegistryCredentials", func(ctx context.Context, q queue) error {
		var mu sync.Mutex
		named := map[string]bool{}
		flush := func() {
			mu.Lock()
			names := maps.Clone(named)
			clear(named)
			mu.Unlock()
			for name := range names {
				if ctx.Err() == nil {
					r.enqueueFor(ctx, q, name, test())
				}
			}
		}
		notifier.Listen(func(credential string) {
			mu.Lock()
			defer mu.Unlock()
			if len(named) == 0 {
				time.AfterFunc(collect, flush)
			}
			named[credential] = true
		})
		return nil
	})
}

// anywhere lets all namespaces through: a published value concerns each.
func anywhere() func(*v1alpha1.RegistryCredential, string) bool { return nil }

// whereNews returns a test for one flush, which lets through the namespaces in which a delivery changed since the last look: one
// delivery is no news for the pods of other namespaces.
func (r *Reconciler) whereNews() func(*v1alpha1.RegistryCredential, string) bool {
	asked := map[string]bool{}
	return func(object *v1alpha1.RegistryCredential, namespace string) bool {
		if changed, known := asked[namespace]; known {
			return changed
		}
		place := delivered.Place{Namespace: namespace, Name: object.Spec.Target.Name()}
		now, _ := r.Board.At(place, object.Name)
		asked[namespace] = r.heard.news(place, object.Name, now)
		return asked[namespace]
	}
}

// heard is what was last known of the deliveries beside stuck pods.
type heard struct {
	mu         sync.Mutex
	deliveries map[delivery]delivered.Delivery
}

type delivery struct {
	delivered.Place
	credential string
}

// maxHeard is how many deliveries are remembered. Beyond it all are news once more.
const maxHeard = 8192

func (h *heard) news(place delivered.Place, credential string, now delivered.Delivery) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := delivery{place, credential}
	if before, known := h.deliveries[key]; known && before == now {
		return false
	}
	if h.deliveries == nil || len(h.deliveries) >= maxHeard {
		h.deliveries = map[delivery]delivered.Delivery{}
	}
	h.deliveries[key] = now
	return true
}

// enqueueFor looks at the stuck pods of a RegistryCredential.
func (r *Reconciler) enqueueFor(ctx context.Context, q queue, credential string, test func(*v1alpha1.RegistryCredential, string) bool) {
	var object v1alpha1.RegistryCredential
	if r.Cluster.Get(ctx, client.ObjectKey{Name: credential}, &object) != nil {
		return // gone: the watch saw it, too
	}
	for _, request := range r.stuckFor(ctx, &object) {
		if test == nil || test(&object, request.Namespace) {
			q.Add(request)
		}
	}
}

// onReplaced looks at the running pods when a newly published value takes the place of a bad one: they may be stuck as well. That is
// decided while the Notifier names them, since soon after it no pod may be stuck any more that tells.
func (r *Reconciler) onReplaced(changed *wakeup.Notifier) source.TypedSource[reconcile.Request] {
	return watchdog.Source("values that take the place of bad ones", func(ctx context.Context, q queue) error {
		changed.Listen(func(credential string) {
			if ctx.Err() == nil && r.replacedBad(credential) {
				r.scheduleLook(ctx, q)
			}
		})
		return nil
	})
}

// onStart looks at all running pods once: what changed while no operator worked is not known.
func (r *Reconciler) onStart() source.TypedSource[reconcile.Request] {
	return watchdog.Source("running pods, once", func(ctx context.Context, q queue) error {
		r.scheduleLook(ctx, q)
		return nil
	})
}

func (r *Reconciler) onTimer() source.TypedSource[reconcile.Request] {
	return watchdog.Source("a timer", func(ctx context.Context, q queue) error {
		go func() {
			ticker := time.NewTicker(safetyPass)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				for _, request := range r.stuckWhere(ctx, "", every) {
					q.Add(request)
				}
			}
		}()
		return nil
	})
}
