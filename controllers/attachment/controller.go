// Package attachment keeps the InjectionIndex, which the admission policy for spec.target.attach: Pods reads.
package attachment

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	// Watches watches the index, so that it is there again at once when somebody deleted it. It may be nil: then that takes up to a minute.
	Watches Watches
	// Metrics may be nil.
	Metrics Metrics
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog

	// clean is true while nothing is in the index and nothing belongs into it.
	clean atomic.Bool
	// left is the index as the last pass found or left it, nil before the first one. Its one worker alone touches it.
	left *v1alpha1.InjectionIndex
	// tried is what the last write asked for where its answer was an error: it may be there all the same. Nil where it succeeded.
	tried *v1alpha1.InjectionIndexSpec
	// leftVersion is its resourceVersion, for who watches. Nil before the first pass.
	leftVersion atomic.Pointer[string]
	// kept is closed when the index was first kept.
	kept     chan struct{}
	keptOnce sync.Once
}

// Metrics tells of the index.
type Metrics interface {
	// InjectionIndexKept notes what the index holds: how many bytes of JSON, how many RegistryCredentials, how many it has no room for, and since
	// when, by the API server's clock.
	InjectionIndexKept(bytes, credentials, leftOut int, changed time.Time)
	// InjectionIndexFailed counts an index that could not be read or written.
	InjectionIndexFailed()
}

// theIndex is the one request of the controller.
var theIndex = reconcile.Request{NamespacedName: types.NamespacedName{Name: v1alpha1.InjectionIndexName}}

// SetupWithManager adds the controller to a manager. policy notifies when the admission policy came or went: the role for the index comes
// with it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, policy *wakeup.Notifier) error {
	c, err := watchdog.Controller(r.Watchdog, mgr, watchdog.Spec{Name: "attachment", Workers: 1, BackOffStart: backOffStart}, r)
	if err != nil {
		return err
	}
	r.kept = make(chan struct{})
	toIndex := func(context.Context, *v1alpha1.RegistryCredential) []reconcile.Request {
		return []reconcile.Request{theIndex}
	}
	var following error
	if r.Watches != nil {
		following = c.Watch(r.onIndex())
	}
	return errors.Join(c.Watch(onStart(policy)), following,
		c.Watch(source.Kind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, handler.TypedEnqueueRequestsFromMapFunc(toIndex), onTarget())))
}

// onStart looks at the index at the start, when it may hold what nobody asks for any more, and when the policy came or went: then what failed
// before is tried without delay.
func onStart(policy *wakeup.Notifier) source.TypedSource[reconcile.Request] {
	return watchdog.Source("the start, and whether the admission policy stands", func(_ context.Context, q queue) error {
		q.Add(theIndex)
		policy.Listen(func(string) {
			q.Forget(theIndex)
			q.Add(theIndex)
		})
		return nil
	})
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
			return (asks(before) || asks(after)) && (wakeup.Renewed(before, after) ||
				(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil))
		},
	}
}

// Reconcile makes the index what the RegistryCredentials ask for.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	asking, content, err := r.asked(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	nothing := len(content.Served) == 0
	if nothing && r.clean.Load() {
		return ctrl.Result{}, nil
	}
	interrupted, err := r.write(ctx, content.Spec, asking)
	if nothing && apierrors.IsForbidden(err) {
		return r.unasked(), nil
	}
	if err != nil {
		r.Book.Failed(content, interrupted, err)
		if r.Metrics != nil {
			r.Metrics.InjectionIndexFailed()
		}
		return ctrl.Result{}, unwritten(err)
	}
	r.Book.Written(content, injection.ChangedAt(r.left), interrupted)
	r.clean.Store(nothing)
	r.tell(content)
	if nothing {
		return ctrl.Result{}, nil
	}
	if r.kept != nil {
		r.keptOnce.Do(func() { close(r.kept) })
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// asked is the index that all RegistryCredentials ask for, and who they are where it is to be another than before. Then it is made of what the API
// server has: the cache of a new leader can be behind what the one before wrote into it, and new pods would miss what it leaves out.
func (r *Reconciler) asked(ctx context.Context) ([]v1alpha1.RegistryCredential, injection.Content, error) {
	var list v1alpha1.RegistryCredentialList
	if err := r.Cluster.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, injection.Content{}, err
	}
	content := injection.Build(list.Items)
	if r.left != nil && equality.Semantic.DeepEqual(r.left.Spec, content.Spec) {
		return nil, content, nil
	}
	var live v1alpha1.RegistryCredentialList
	if err := r.Writer.List(ctx, &live); err != nil {
		return nil, injection.Content{}, fmt.Errorf("read the RegistryCredentials past the cache: %w", err)
	}
	return live.Items, injection.Build(live.Items), nil
}

// unasked is what follows where nobody asks for the policy and its role is not there: whoever never asked has neither. Where something was left
// in the index it is taken out once the role is back.
func (r *Reconciler) unasked() ctrl.Result {
	if r.left != nil && len(r.left.Spec.Secrets) > 0 {
		return ctrl.Result{RequeueAfter: again}
	}
	r.clean.Store(true)
	return ctrl.Result{}
}

// unwritten says what to do about an index that could not be written.
func unwritten(err error) error {
	next := "it is tried again"
	if apierrors.IsForbidden(err) || meta.IsNoMatchError(err) {
		next = injection.Install
	}
	return fmt.Errorf("write InjectionIndex %s: %w: %s", v1alpha1.InjectionIndexName, err, next)
}

// tell notes what the index holds after a pass.
func (r *Reconciler) tell(content injection.Content) {
	if r.Metrics == nil {
		return
	}
	left := content.LeftOut()
	r.Metrics.InjectionIndexKept(content.Bytes, len(content.Served)-len(left), len(left), injection.ChangedAt(r.left))
}

// leave notes the index as a pass found it, or left it.
func (r *Reconciler) leave(index *v1alpha1.InjectionIndex) {
	r.left, r.tried = index, nil
	r.leftVersion.Store(&index.ResourceVersion)
}

// write makes the index, or changes it, where it is not as it should be. interrupted is true where it was found to be otherwise than the last
// pass left it, whether or not it could be written. It is applied: the role names the one object, and a creation by POST has no name that RBAC
// could look at. What a process finds when it starts, and the RegistryCredentials ask for, serves them already.
func (r *Reconciler) write(ctx context.Context, spec v1alpha1.InjectionIndexSpec, asking []v1alpha1.RegistryCredential) (interrupted bool, err error) {
	found := &v1alpha1.InjectionIndex{}
	err = r.Writer.Get(ctx, client.ObjectKey{Name: v1alpha1.InjectionIndexName}, found)
	missing := apierrors.IsNotFound(err) || meta.IsNoMatchError(err) // the latter where its kind was removed
	if err != nil && !missing {
		return false, err
	}
	if interrupted = missing; r.left == nil {
		r.Book.Found(injection.HeldBy(found, asking))
	} else {
		interrupted = found.UID != r.left.UID || !r.mayHaveLeft(found.Spec)
	}
	r.leave(found)
	if equality.Semantic.DeepEqual(found.Spec, spec) { // one that is missing has an empty spec, and is not made for nothing
		return interrupted, nil
	}
	written, err := r.apply(ctx, spec)
	if err != nil {
		r.tried = &spec
		return interrupted, err
	}
	r.leave(written)
	return interrupted, nil
}

// mayHaveLeft reports whether the passes before may have left the index so: as it was found or written, or as a write asked for whose answer
// was lost.
func (r *Reconciler) mayHaveLeft(spec v1alpha1.InjectionIndexSpec) bool {
	return equality.Semantic.DeepEqual(spec, r.left.Spec) || r.tried != nil && equality.Semantic.DeepEqual(spec, *r.tried)
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
