package recovery

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/target"
)

const (
	workers          = 16
	reconcileTimeout = 30 * time.Second
	backOffStart     = 50 * time.Millisecond
	backOffEnd       = 2 * time.Minute
	// safetyPass is how often every stuck pod is looked at though nothing was seen to change.
	safetyPass = 5 * time.Minute
	// collect is how long changes of a credential are collected: it is delivered to its namespaces one by one.
	collect = 100 * time.Millisecond
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager adds the controller, and the cache of pods, to a manager. changed rings when a value is published, delivered
// when it was written into a namespace or attached there.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, changed, delivered *publish.Bell) error {
	if err := r.startCaches(mgr); err != nil {
		return err
	}
	c, err := controller.New("recovery", mgr, controller.Options{
		Reconciler:              r,
		MaxConcurrentReconciles: workers,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](backOffStart, backOffEnd),
		UsePriorityQueue:        ptr.To(true),
	})
	if err != nil {
		return err
	}
	watches := []source.TypedSource[reconcile.Request]{
		source.Kind(r.Pods, &corev1.Pod{}, &handler.TypedEnqueueRequestForObject[*corev1.Pod]{}, r.onStuck()),
		source.Kind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, mapTo(r.stuckFor), onSpec[*v1alpha1.RegistryCredential]()),
		source.Kind(mgr.GetCache(), &corev1.Namespace{}, mapTo(r.stuckIn), onMetadata[*corev1.Namespace]()),
		r.onBell(changed),
		r.onBell(delivered),
		r.onTimer(),
	}
	_ = r.Secrets.Each(func(one cache.Cache) error {
		watches = append(watches, source.Kind(one, &corev1.Secret{}, mapTo(r.stuckBeside)))
		return nil
	})
	_ = r.ServiceAccounts.Each(func(one cache.Cache) error {
		watches = append(watches, source.Kind(one, &corev1.ServiceAccount{}, mapTo(r.stuckOf)))
		return nil
	})
	for _, watch := range watches {
		if err := c.Watch(watch); err != nil {
			return err
		}
	}
	return nil
}

// startCaches makes sure that everything that is read from a cache is in it: a manager's cache may refuse what nobody asked for.
func (r *Reconciler) startCaches(mgr ctrl.Manager) error {
	ctx := context.Background()
	if err := mgr.Add(r.Pods); err != nil {
		return err
	}
	if _, err := r.Pods.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false)); err != nil {
		return err
	}
	for _, kind := range ownerKinds {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(kind)
		if _, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	return nil
}

func mapTo[T client.Object](f func(context.Context, T) []reconcile.Request) handler.TypedEventHandler[T, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(handler.TypedMapFunc[T, reconcile.Request](f))
}

// onStuck lets through pods that hang, and those that hung before.
func (r *Reconciler) onStuck() predicate.TypedPredicate[*corev1.Pod] {
	return predicate.TypedFuncs[*corev1.Pod]{
		CreateFunc: func(e event.TypedCreateEvent[*corev1.Pod]) bool { return diagnosis.IsStuck(e.Object) },
		UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Pod]) bool {
			return diagnosis.IsStuck(e.ObjectOld) || diagnosis.IsStuck(e.ObjectNew)
		},
		// The last state that was seen may be an old one: whoever is known is looked at.
		DeleteFunc: func(e event.TypedDeleteEvent[*corev1.Pod]) bool {
			return diagnosis.IsStuck(e.Object) || r.memories.knows(client.ObjectKeyFromObject(e.Object))
		},
	}
}

// stuckWhere are the stuck pods of one namespace, or of all with "", that a test lets through.
func (r *Reconciler) stuckWhere(ctx context.Context, namespace string, test func(*corev1.Pod) bool) []reconcile.Request {
	var pods corev1.PodList
	if r.Pods.List(ctx, &pods, client.InNamespace(namespace), client.UnsafeDisableDeepCopy) != nil {
		return nil // the cache is not there yet: it sends its own events when it is
	}
	var requests []reconcile.Request
	for i := range pods.Items {
		if pod := &pods.Items[i]; diagnosis.IsStuck(pod) && test(pod) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)})
		}
	}
	return requests
}

func every(*corev1.Pod) bool { return true }

func (r *Reconciler) stuckIn(ctx context.Context, namespace *corev1.Namespace) []reconcile.Request {
	return r.stuckWhere(ctx, namespace.Name, every)
}

func (r *Reconciler) stuckBeside(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	return r.stuckWhere(ctx, secret.Namespace, every)
}

func (r *Reconciler) stuckOf(ctx context.Context, account *corev1.ServiceAccount) []reconcile.Request {
	return r.stuckWhere(ctx, account.Namespace, func(pod *corev1.Pod) bool {
		return pod.Spec.ServiceAccountName == account.Name || pod.Spec.ServiceAccountName == ""
	})
}

// stuckFor are the stuck pods of the namespaces that a RegistryCredential selects.
func (r *Reconciler) stuckFor(ctx context.Context, credential *v1alpha1.RegistryCredential) []reconcile.Request {
	selector, err := target.New(&credential.Spec.Target, r.protected())
	if err != nil {
		return nil
	}
	selected := map[string]bool{}
	return r.stuckWhere(ctx, "", func(pod *corev1.Pod) bool {
		if _, known := selected[pod.Namespace]; !known {
			var namespace corev1.Namespace
			err := r.Cluster.Get(ctx, client.ObjectKey{Name: pod.Namespace}, &namespace)
			selected[pod.Namespace] = err == nil && selector.Selects(namespace.Name, namespace.Labels)
		}
		return selected[pod.Namespace]
	})
}

// onBell looks at the stuck pods of a RegistryCredential when something about it changed.
func (r *Reconciler) onBell(bell *publish.Bell) source.TypedSource[reconcile.Request] {
	return source.TypedFunc[reconcile.Request](func(ctx context.Context, q queue) error {
		var mu sync.Mutex
		rung := map[string]bool{}
		bell.Listen(func(credential string) {
			mu.Lock()
			defer mu.Unlock()
			first := len(rung) == 0
			rung[credential] = true
			if !first {
				return
			}
			time.AfterFunc(collect, func() {
				mu.Lock()
				names := maps.Clone(rung)
				clear(rung)
				mu.Unlock()
				for name := range names {
					r.enqueueFor(ctx, q, name)
				}
			})
		})
		return nil
	})
}

func (r *Reconciler) enqueueFor(ctx context.Context, q queue, credential string) {
	var object v1alpha1.RegistryCredential
	if ctx.Err() != nil || r.Cluster.Get(ctx, client.ObjectKey{Name: credential}, &object) != nil {
		return // the operator stops, or the object is gone and the watch saw it, too
	}
	for _, request := range r.stuckFor(ctx, &object) {
		q.Add(request)
	}
}

func (r *Reconciler) onTimer() source.TypedSource[reconcile.Request] {
	return source.TypedFunc[reconcile.Request](func(ctx context.Context, q queue) error {
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

// onSpec lets through what can change a diagnosis: not the status.
func onSpec[T client.Object]() predicate.TypedPredicate[T] {
	return predicate.TypedFuncs[T]{UpdateFunc: func(e event.TypedUpdateEvent[T]) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
	}}
}

func onMetadata[T client.Object]() predicate.TypedPredicate[T] {
	return predicate.TypedFuncs[T]{UpdateFunc: func(e event.TypedUpdateEvent[T]) bool {
		return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) || !maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations())
	}}
}
