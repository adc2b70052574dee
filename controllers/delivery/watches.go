package delivery

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

type queue = workqueue.TypedRateLimitingInterface[delivered.Place]

// Priorities: somebody waits for a new namespace, which is served in two looks where its ServiceAccount comes a moment later, and for pods that are
// stuck; nobody for a look at what is believed to be right.
const (
	urgent = 100
	normal = 0
	last   = handler.LowPriority
)

func enqueue(q queue, priority int, places ...delivered.Place) {
	if prioritised, ok := q.(priorityqueue.PriorityQueue[delivered.Place]); ok {
		prioritised.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, places...)
		return
	}
	for _, place := range places {
		q.Add(place)
	}
}

// onCredential looks at all places of a RegistryCredential that changed, came or went.
func (r *Reconciler) onCredential() handler.TypedEventHandler[*v1alpha1.RegistryCredential, delivered.Place] {
	look := func(ctx context.Context, credential *v1alpha1.RegistryCredential, q queue) {
		r.departed.note(credential)
		enqueue(q, normal, r.placesOf(ctx, credential)...)
	}
	return handler.TypedFuncs[*v1alpha1.RegistryCredential, delivered.Place]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*v1alpha1.RegistryCredential], q queue) {
			look(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*v1alpha1.RegistryCredential], q queue) {
			if e.ObjectOld.UID != e.ObjectNew.UID { // nobody saw that there was none in between
				look(ctx, e.ObjectOld, q)
				r.forget(e.ObjectOld.Name)
			}
			look(ctx, e.ObjectNew, q)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*v1alpha1.RegistryCredential], q queue) {
			look(ctx, e.Object, q)
			r.forget(e.Object.Name)
		},
	}
}

// forget drops what is known of a RegistryCredential that is gone.
func (r *Reconciler) forget(credential string) {
	r.Board.Forget(credential)
	r.selectors.forget(credential)
	r.successors.forget(credential)
	r.keepers.forget(credential)
}

// onSecret notes what a Secret records, and looks at its place.
func (r *Reconciler) onSecret() handler.TypedEventHandler[*corev1.Secret, delivered.Place] {
	return handler.TypedFuncs[*corev1.Secret, delivered.Place]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*corev1.Secret], q queue) {
			switch {
			case !named.Held(e.Object): // what it records is not known
			case e.IsInInitialList:
				r.begin(ctx, e.Object)
			default:
				r.ledger.note(e.Object)
			}
			enqueue(q, normal, r.placesBeside(ctx, e.Object)...)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*corev1.Secret], q queue) {
			if named.Held(e.ObjectNew) {
				r.ledger.note(e.ObjectNew)
			}
			places := r.placesBeside(ctx, e.ObjectNew, e.ObjectOld)
			own := delivered.Place{Namespace: e.ObjectNew.Namespace, Name: e.ObjectNew.Name}
			if r.isEcho(e.ObjectNew, q) {
				places = slices.DeleteFunc(places, func(place delivered.Place) bool { return place == own })
			}
			enqueue(q, normal, places...)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*corev1.Secret], q queue) {
			r.ledger.drop(e.Object)
			enqueue(q, normal, r.placesBeside(ctx, e.Object)...)
		},
	}
}

// begin takes in a Secret that was there when the operator started. Of RegistryCredentials that do not exist nobody asks.
func (r *Reconciler) begin(ctx context.Context, secret *corev1.Secret) {
	r.ledger.begin(secret)
	if !pullsecret.OwnerOf(secret).Ours {
		return
	}
	written := recordOf(secret)
	for name := range written {
		var credential v1alpha1.RegistryCredential
		if r.Cluster.Get(ctx, client.ObjectKey{Name: name}, &credential, client.UnsafeDisableDeepCopy) == nil {
			r.Board.Begin(delivered.Place{Namespace: secret.Namespace, Name: secret.Name}, name, versionIn(written, name))
		}
	}
}

// urgently looks at the places of a new namespace, or one with new labels, before all others.
func (r *Reconciler) urgently() handler.TypedEventHandler[*corev1.Namespace, delivered.Place] {
	return newFirst(r, urgent, func(one *corev1.Namespace) string { return one.Name })
}

// onAccount looks at the places of the namespace of a ServiceAccount, before all others where it is new: pods that are created before it names the
// Secret never get it.
func (r *Reconciler) onAccount() handler.TypedEventHandler[*corev1.ServiceAccount, delivered.Place] {
	return newFirst(r, normal, func(one *corev1.ServiceAccount) string { return one.Namespace })
}

// newFirst looks at the places of a namespace: before all others where an object is new, after all others where it was there at the start.
func newFirst[T client.Object](r *Reconciler, changed int, namespaceOf func(T) string) handler.TypedEventHandler[T, delivered.Place] {
	return handler.TypedFuncs[T, delivered.Place]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[T], q queue) {
			priority := urgent
			if e.IsInInitialList {
				priority = last
			}
			enqueue(q, priority, r.placesIn(ctx, namespaceOf(e.Object))...)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[T], q queue) {
			enqueue(q, changed, r.placesIn(ctx, namespaceOf(e.ObjectNew))...)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[T], q queue) {
			enqueue(q, normal, r.placesIn(ctx, namespaceOf(e.Object))...)
		},
	}
}

// onTimer looks at everything now and then.
func (r *Reconciler) onTimer() source.TypedSource[delivered.Place] {
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
				var list v1alpha1.RegistryCredentialList
				if r.Cluster.List(ctx, &list) != nil {
					continue
				}
				for i := range list.Items {
					enqueue(q, last, r.placesOf(ctx, &list.Items[i])...)
				}
			}
		}()
		return nil
	})
}

// onSpec lets through what can change what a RegistryCredential selects, and annotations, such as a confirmation: not its status, and no request
// to read the source, which would have all places looked at just before the value is there.
func onSpec() predicate.TypedPredicate[*v1alpha1.RegistryCredential] {
	return predicate.TypedFuncs[*v1alpha1.RegistryCredential]{UpdateFunc: func(e event.TypedUpdateEvent[*v1alpha1.RegistryCredential]) bool {
		return wakeup.Renewed(e.ObjectOld, e.ObjectNew) ||
			!maps.Equal(withoutRequest(e.ObjectOld.Annotations), withoutRequest(e.ObjectNew.Annotations)) ||
			(e.ObjectOld.DeletionTimestamp == nil) != (e.ObjectNew.DeletionTimestamp == nil)
	}}
}

func withoutRequest(annotations map[string]string) map[string]string {
	left := maps.Clone(annotations)
	delete(left, v1alpha1.RefreshRequestedAtAnnotation)
	return left
}

// onLabels lets through what decides whether a namespace is selected, and whether its pods get the Secret's name.
func onLabels() predicate.TypedPredicate[*corev1.Namespace] {
	return predicate.TypedFuncs[*corev1.Namespace]{UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Namespace]) bool {
		return !maps.Equal(e.ObjectOld.Labels, e.ObjectNew.Labels) || e.ObjectOld.UID != e.ObjectNew.UID ||
			e.ObjectOld.Annotations[v1alpha1.AttachAnnotation] != e.ObjectNew.Annotations[v1alpha1.AttachAnnotation] ||
			(e.ObjectOld.DeletionTimestamp == nil) != (e.ObjectNew.DeletionTimestamp == nil)
	}}
}

func onAttachment() predicate.TypedPredicate[*corev1.ServiceAccount] {
	return predicate.TypedFuncs[*corev1.ServiceAccount]{UpdateFunc: func(e event.TypedUpdateEvent[*corev1.ServiceAccount]) bool {
		return !equality.Semantic.DeepEqual(e.ObjectOld.ImagePullSecrets, e.ObjectNew.ImagePullSecrets) || e.ObjectOld.UID != e.ObjectNew.UID ||
			e.ObjectOld.Annotations[v1alpha1.AttachedAnnotation] != e.ObjectNew.Annotations[v1alpha1.AttachedAnnotation]
	}}
}

func collect(places map[delivered.Place]bool) []delivered.Place {
	return slices.Collect(maps.Keys(places))
}
