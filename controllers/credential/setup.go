package credential

import (
	"context"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

const (
	workers      = 8
	backOffStart = 100 * time.Millisecond
	// gather is how long news about deliveries are gathered before the status is looked at.
	gather = 200 * time.Millisecond
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager adds the controller to a manager. news notifies when a delivery or the number of stuck pods changed.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, news *wakeup.Notifier) error {
	if r.SourceNews == nil {
		r.SourceNews = &News{}
	}
	if err := indexPlaces(context.Background(), mgr); err != nil {
		return err
	}
	c, err := watchdog.Controller(r.Watchdog, mgr, watchdog.Spec{Name: "credential", Workers: workers, BackOffStart: backOffStart}, r)
	if err != nil {
		return err
	}
	for _, watch := range r.watches(mgr, news) {
		if err := c.Watch(watch); err != nil {
			return err
		}
	}
	return nil
}

// watches are all that can change what is to be done about a RegistryCredential.
func (r *Reconciler) watches(mgr ctrl.Manager, news *wakeup.Notifier) []source.Source {
	return []source.Source{
		source.Kind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, &handler.TypedEnqueueRequestForObject[*v1alpha1.RegistryCredential]{}, notStatus()),
		source.Kind(mgr.GetCache(), &v1alpha1.VaultConnection{}, handler.TypedEnqueueRequestsFromMapFunc(r.usersOf),
			wakeup.OnSpec[*v1alpha1.VaultConnection](), notThereBefore()),
		watchdog.Source("changed deliveries, stuck pods and answers of registries", func(ctx context.Context, q queue) error {
			news.Listen(func(credential string) { q.AddAfter(requestFor(credential), gather) })
			r.tests.listen(ctx, func(credential string) { q.Add(requestFor(credential)) })
			return nil
		}),
		r.SourceNews.listen(r),
		r.onSleep(),
		watchdog.Source("records that were kept, once", func(ctx context.Context, q queue) error {
			go r.sweep(ctx, q)
			return nil
		}),
	}
}

// sweep looks once at every record that was kept: that of a RegistryCredential that was deleted while nobody watched is removed.
func (r *Reconciler) sweep(ctx context.Context, q queue) {
	for r.Store.Load(ctx) != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
			log.FromContext(ctx).Info("The published credentials could not be read yet and are read again")
		}
	}
	for name := range r.Store.All() {
		q.Add(requestFor(name))
	}
}

// usersOf are the RegistryCredentials that read through a connection. Their source is read again.
func (r *Reconciler) usersOf(ctx context.Context, connection *v1alpha1.VaultConnection) []reconcile.Request {
	var list v1alpha1.RegistryCredentialList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "A cache cannot be read, so a changed VaultConnection is used later: please report this", "connection", connection.Name)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		vault := list.Items[i].Spec.Source.Vault
		if vault != nil && vault.ConnectionName() == connection.Name {
			r.memories.wake(list.Items[i].Name, r.Now())
			requests = append(requests, requestFor(list.Items[i].Name))
		}
	}
	return requests
}

func requestFor(credential string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: credential}}
}

// notStatus drops updates of the status, which are our own.
func notStatus() predicate.TypedPredicate[*v1alpha1.RegistryCredential] {
	return predicate.TypedFuncs[*v1alpha1.RegistryCredential]{UpdateFunc: func(e event.TypedUpdateEvent[*v1alpha1.RegistryCredential]) bool {
		before, after := e.ObjectOld, e.ObjectNew
		return wakeup.Renewed(before, after) || before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
			!maps.Equal(before.Annotations, after.Annotations) || len(before.Finalizers) != len(after.Finalizers)
	}}
}

// notThereBefore drops the connections that are there when the operator starts: nothing was read through them yet, and a leased
// credential that another process obtained is still good.
func notThereBefore() predicate.TypedPredicate[*v1alpha1.VaultConnection] {
	return predicate.TypedFuncs[*v1alpha1.VaultConnection]{CreateFunc: func(e event.TypedCreateEvent[*v1alpha1.VaultConnection]) bool {
		return !e.IsInInitialList
	}}
}
