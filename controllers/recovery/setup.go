package recovery

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

const (
	workers      = 16
	backOffStart = 50 * time.Millisecond
	// safetyPass is how often every stuck pod is looked at though nothing was seen to change.
	safetyPass = 5 * time.Minute
	// collect is how long changes of a credential are collected: it is delivered to its namespaces one by one.
	collect = 100 * time.Millisecond
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager adds the controller, and the cache of pods, to a manager. changed notifies when a value is published, delivered
// when it was written into a namespace or attached there.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, changed, delivered *wakeup.Notifier) error {
	r.owners.Chosen, r.owners.Served = r.OwnerKinds, mgr.GetRESTMapper()
	if err := r.startCaches(mgr); err != nil {
		return err
	}
	c, err := watchdog.Controller(r.Watchdog, mgr, watchdog.Spec{Name: "recovery", Workers: workers, BackOffStart: backOffStart}, r)
	if err != nil {
		return err
	}
	watches, err := r.watches(mgr, changed, delivered)
	if err != nil {
		return err
	}
	for _, watch := range watches {
		if err := c.Watch(watch); err != nil {
			return err
		}
	}
	return nil
}

// watches are all that can change what is to be done about a pod.
func (r *Reconciler) watches(mgr ctrl.Manager, changed, delivered *wakeup.Notifier) ([]source.TypedSource[reconcile.Request], error) {
	watches := []source.TypedSource[reconcile.Request]{
		source.Kind(r.Pods, &corev1.Pod{}, &handler.TypedEnqueueRequestForObject[*corev1.Pod]{}, r.onStuck()),
		source.Kind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, mapTo(r.stuckFor), onSpec()),
		source.Kind(mgr.GetCache(), &corev1.Namespace{}, mapTo(r.stuckIn), onMetadata[*corev1.Namespace]()),
		r.onNotice(changed, anywhere),
		r.onNotice(delivered, r.whereNews),
		r.onReplaced(changed),
		r.onStart(),
		r.onTimer(),
	}
	err := r.Secrets.Each(func(one cache.Cache) error {
		watches = append(watches, source.Kind(one, &corev1.Secret{}, wakeBeside(r, func(*corev1.Secret) string { return "" })))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.ServiceAccounts.Each(func(one cache.Cache) error {
		watches = append(watches, source.Kind(one, &corev1.ServiceAccount{}, wakeBeside(r, func(account *corev1.ServiceAccount) string { return account.Name })))
		return nil
	})
	return watches, err
}

func mapTo[T client.Object](f func(context.Context, T) []reconcile.Request) handler.TypedEventHandler[T, reconcile.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(handler.TypedMapFunc[T, reconcile.Request](f))
}

// startCaches has the cache of pods filled. The owners of pods are in the manager's cache, which controllers/operator fills.
func (r *Reconciler) startCaches(mgr ctrl.Manager) error {
	if err := mgr.Add(r.Pods); err != nil {
		return err
	}
	_, err := r.Pods.GetInformer(context.Background(), &corev1.Pod{}, cache.BlockUntilSynced(false))
	return err
}
