// Package attachment keeps the InjectionIndex, which the admission policy for spec.target.attach: Pods reads.
package attachment

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

const (
	backOffStart = 100 * time.Millisecond
	// again is how often the index is compared while something is in it: somebody may have deleted it.
	again = time.Minute
)

// Reconciler owns the InjectionIndex.
type Reconciler struct {
	// Cluster reads RegistryCredentials from a cache, Writer reads and writes the index itself.
	Cluster client.Reader
	Writer  client.Client
	Book    *injection.Book
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog

	// clean is true while nothing is in the index and nothing belongs into it.
	clean atomic.Bool
	// left is the index as the last pass left it, nil before the first one. Its one worker alone touches it.
	left *v1alpha1.InjectionIndex
}

// SetupWithManager adds the controller to a manager. policy notifies when the admission policy came or went: the role for the index comes
// with it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, policy *wakeup.Notifier) error {
	c, err := watchdog.Controller(r.Watchdog, mgr, watchdog.Spec{Name: "attachment", Workers: 1, BackOffStart: backOffStart}, r)
	if err != nil {
		return err
	}
	index := reconcile.Request{NamespacedName: types.NamespacedName{Name: v1alpha1.InjectionIndexName}}
	// At the start the index may hold what nobody asks for any more.
	start := watchdog.Source("the start, and whether the admission policy stands", func(_ context.Context, q queue) error {
		q.Add(index)
		policy.Listen(func(string) {
			q.Forget(index)
			q.Add(index)
		})
		return nil
	})
	toIndex := func(context.Context, *v1alpha1.RegistryCredential) []reconcile.Request {
		return []reconcile.Request{index}
	}
	return errors.Join(c.Watch(start),
		c.Watch(source.Kind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, handler.TypedEnqueueRequestsFromMapFunc(toIndex), onTarget())))
}

// onTarget passes over what leaves the index as it is: most RegistryCredentials are attached to ServiceAccounts, and most changes are of
// the status.
func onTarget() predicate.TypedPredicate[*v1alpha1.RegistryCredential] {
	asks := func(c *v1alpha1.RegistryCredential) bool { return c.Spec.Target.Attachment() == v1alpha1.AttachPods }
	return predicate.TypedFuncs[*v1alpha1.RegistryCredential]{
		CreateFunc: func(e event.TypedCreateEvent[*v1alpha1.RegistryCredential]) bool { return asks(e.Object) },
		DeleteFunc: func(e event.TypedDeleteEvent[*v1alpha1.RegistryCredential]) bool { return asks(e.Object) },
		UpdateFunc: func(e event.TypedUpdateEvent[*v1alpha1.RegistryCredential]) bool {
			before, after := e.ObjectOld, e.ObjectNew
			return (asks(before) || asks(after)) && (before.Generation != after.Generation || before.UID != after.UID ||
				(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil))
		},
	}
}

// Reconcile makes the index what the RegistryCredentials ask for.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, err
	}
	content := injection.Build(list.Items)
	nothing := len(content.Served) == 0
	if nothing && r.clean.Load() {
		return ctrl.Result{}, nil
	}
	interrupted, err := r.write(ctx, content.Spec)
	if err != nil && !nothing { // whoever never asked for the policy has neither role nor index
		r.Book.Failed(content, interrupted, err)
		return ctrl.Result{}, unwritten(err)
	}
	r.Book.Written(content, changedAt(r.left), interrupted)
	r.clean.Store(nothing)
	if nothing {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// unwritten says what to do about an index that could not be written.
func unwritten(err error) error {
	next := "it is tried again"
	if apierrors.IsForbidden(err) || meta.IsNoMatchError(err) {
		next = injection.Install
	}
	return fmt.Errorf("write InjectionIndex %s: %w: %s", v1alpha1.InjectionIndexName, err, next)
}

// write makes the index, or changes it, where it is not as it should be. interrupted is true where it was found to be otherwise than the last
// pass left it, whether or not it could be written. It is applied: the role names the one object, and a creation by POST has no name that RBAC
// could look at.
func (r *Reconciler) write(ctx context.Context, spec v1alpha1.InjectionIndexSpec) (interrupted bool, err error) {
	found := &v1alpha1.InjectionIndex{}
	err = r.Writer.Get(ctx, client.ObjectKey{Name: v1alpha1.InjectionIndexName}, found)
	missing := apierrors.IsNotFound(err) || meta.IsNoMatchError(err) // the latter where its kind was removed
	if err != nil && !missing {
		return false, err
	}
	interrupted = r.left != nil && (found.UID != r.left.UID || !equality.Semantic.DeepEqual(found.Spec, r.left.Spec))
	if equality.Semantic.DeepEqual(found.Spec, spec) && (!missing || len(spec.Secrets) == 0) {
		r.left = found
		return interrupted, nil
	}
	written, err := r.apply(ctx, spec)
	if err != nil {
		return interrupted, err
	}
	r.left = written
	return interrupted, nil
}

func (r *Reconciler) apply(ctx context.Context, spec v1alpha1.InjectionIndexSpec) (*v1alpha1.InjectionIndex, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		return nil, err
	}
	if len(spec.Secrets) == 0 {
		content = map[string]any{"secrets": []any{}} // what is left out of an apply stays where somebody else wrote it
	}
	index := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	index.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("InjectionIndex"))
	index.SetName(v1alpha1.InjectionIndexName)
	if err := r.Writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(index), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership); err != nil {
		return nil, err
	}
	written := &v1alpha1.InjectionIndex{}
	return written, runtime.DefaultUnstructuredConverter.FromUnstructured(index.Object, written)
}

// changedAt is when the content of the index last changed, by the API server's clock: a process that starts knows nothing else of a change
// that an earlier one made. Zero where that is not known.
func changedAt(index *v1alpha1.InjectionIndex) time.Time {
	if index == nil {
		return time.Time{}
	}
	at := index.CreationTimestamp.Time
	for _, entry := range index.ManagedFields {
		if entry.Time != nil && entry.Time.After(at) {
			at = entry.Time.Time
		}
	}
	return at
}
