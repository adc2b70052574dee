package delivery

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

const (
	workers          = 32
	reconcileTimeout = 30 * time.Second
	backOffStart     = 50 * time.Millisecond
	backOffEnd       = 2 * time.Minute
	// safetyPass is how often every place is looked at though nothing was seen to change: what a silent watch missed.
	safetyPass = 10 * time.Minute
)

type queue = workqueue.TypedRateLimitingInterface[publish.Place]

// SetupWithManager adds the controller to a manager. changed rings when a published value changes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, changed *publish.Bell) error {
	c, err := controller.NewTyped("delivery", mgr, controller.TypedOptions[publish.Place]{
		Reconciler:              r,
		MaxConcurrentReconciles: workers,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[publish.Place](backOffStart, backOffEnd),
		UsePriorityQueue:        ptr.To(true),
	})
	if err != nil {
		return err
	}
	watches := []source.TypedSource[publish.Place]{
		source.TypedKind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, mapTo(r.placesOf), onSpec[*v1alpha1.RegistryCredential]()),
		source.TypedKind(mgr.GetCache(), &corev1.Namespace{}, mapTo(r.placesIn), onLabels[*corev1.Namespace]()),
		r.onChange(changed),
		r.onTimer(),
	}
	err = r.Secrets.Each(func(one cache.Cache) error {
		watches = append(watches, source.TypedKind(one, &corev1.Secret{}, mapTo(placeOf)))
		return nil
	})
	if err != nil {
		return err
	}
	err = r.ServiceAccounts.Each(func(one cache.Cache) error {
		watches = append(watches, source.TypedKind(one, &corev1.ServiceAccount{}, mapTo(r.placesFor), onAttachment()))
		return nil
	})
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

func mapTo[T client.Object](f func(context.Context, T) []publish.Place) handler.TypedEventHandler[T, publish.Place] {
	return handler.TypedEnqueueRequestsFromMapFunc(handler.TypedMapFunc[T, publish.Place](f))
}

// onChange looks at all places of a RegistryCredential when a new value of it is published.
func (r *Reconciler) onChange(changed *publish.Bell) source.TypedSource[publish.Place] {
	return source.TypedFunc[publish.Place](func(ctx context.Context, q queue) error {
		changed.Listen(func(credential string) {
			var object v1alpha1.RegistryCredential
			if r.Cluster.Get(ctx, client.ObjectKey{Name: credential}, &object) != nil {
				return // gone: the watch saw it, too
			}
			for _, place := range r.placesOf(ctx, &object) {
				q.Add(place)
			}
		})
		return nil
	})
}

func (r *Reconciler) onTimer() source.TypedSource[publish.Place] {
	return source.TypedFunc[publish.Place](func(ctx context.Context, q queue) error {
		go func() {
			ticker := time.NewTicker(safetyPass)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				var list v1alpha1.RegistryCredentialList
				if r.Cluster.List(ctx, &list) != nil {
					continue
				}
				for i := range list.Items {
					for _, place := range r.placesOf(ctx, &list.Items[i]) {
						q.Add(place)
					}
				}
			}
		}()
		return nil
	})
}

func placeOf(_ context.Context, secret *corev1.Secret) []publish.Place {
	return []publish.Place{{Namespace: secret.Namespace, Name: secret.Name}}
}

// placesOf are the places that a RegistryCredential selects, and those that hold, or last held, entries of it.
func (r *Reconciler) placesOf(ctx context.Context, credential *v1alpha1.RegistryCredential) []publish.Place {
	places := map[publish.Place]bool{}
	for _, place := range r.Board.Places(credential.Name) {
		places[place] = true
	}
	name := credential.Spec.Target.Name()
	var namespaces corev1.NamespaceList
	if selector, err := target.New(&credential.Spec.Target, r.Protected); err == nil && r.Secrets.Allowed(name) &&
		r.Cluster.List(ctx, &namespaces, client.UnsafeDisableDeepCopy) == nil {
		for i := range namespaces.Items {
			if selector.Selects(namespaces.Items[i].Name, namespaces.Items[i].Labels) {
				places[publish.Place{Namespace: namespaces.Items[i].Name, Name: name}] = true
			}
		}
	}
	var secrets corev1.SecretList
	_ = r.Secrets.List(ctx, "", &secrets, func() { // a cache that is not there yet sends its own events when it is
		for i := range secrets.Items {
			secret := &secrets.Items[i]
			if _, recorded := pullsecret.SourcesOf(secret.Annotations)[credential.Name]; recorded {
				places[publish.Place{Namespace: secret.Namespace, Name: secret.Name}] = true
			}
		}
	})
	return slices.Collect(maps.Keys(places))
}

// placesIn are the places of a namespace that RegistryCredentials may select, and those that are there.
func (r *Reconciler) placesIn(ctx context.Context, namespace *corev1.Namespace) []publish.Place {
	return r.places(ctx, namespace.Name)
}

func (r *Reconciler) placesFor(ctx context.Context, account *corev1.ServiceAccount) []publish.Place {
	return r.places(ctx, account.Namespace)
}

func (r *Reconciler) places(ctx context.Context, namespace string) []publish.Place {
	places := map[publish.Place]bool{}
	var list v1alpha1.RegistryCredentialList
	if r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy) == nil {
		for i := range list.Items {
			if name := list.Items[i].Spec.Target.Name(); r.Secrets.Allowed(name) {
				places[publish.Place{Namespace: namespace, Name: name}] = true
			}
		}
	}
	var secrets corev1.SecretList
	_ = r.Secrets.List(ctx, namespace, &secrets, func() {
		for i := range secrets.Items {
			if pullsecret.OwnerOf(&secrets.Items[i]).Ours {
				places[publish.Place{Namespace: namespace, Name: secrets.Items[i].Name}] = true
			}
		}
	})
	return slices.Collect(maps.Keys(places))
}

// onSpec lets through what can change what a RegistryCredential selects: not its status.
func onSpec[T client.Object]() predicate.TypedPredicate[T] {
	return predicate.TypedFuncs[T]{UpdateFunc: func(e event.TypedUpdateEvent[T]) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			!maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()) ||
			(e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

func onLabels[T client.Object]() predicate.TypedPredicate[T] {
	return predicate.TypedFuncs[T]{UpdateFunc: func(e event.TypedUpdateEvent[T]) bool {
		return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) ||
			(e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

func onAttachment() predicate.TypedPredicate[*corev1.ServiceAccount] {
	return predicate.TypedFuncs[*corev1.ServiceAccount]{UpdateFunc: func(e event.TypedUpdateEvent[*corev1.ServiceAccount]) bool {
		return !equality.Semantic.DeepEqual(e.ObjectOld.ImagePullSecrets, e.ObjectNew.ImagePullSecrets) ||
			e.ObjectOld.Annotations[v1alpha1.AttachedAnnotation] != e.ObjectNew.Annotations[v1alpha1.AttachedAnnotation]
	}}
}
