package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"regcred.dev/regcred/internal/announce"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/watchdog"
)

// Reader reads a credential from its source. Errors are, or wrap, a source.Error.
type Reader interface {
	Read(ctx context.Context, request source.Request) (source.Snapshot, error)
}

// Releaser gives back a lease that nobody uses any more.
type Releaser interface {
	Release(ctx context.Context, lease source.Lease) error
}

// Names says which names of Secrets or ServiceAccounts the operator may touch.
type Names interface {
	Allowed(name string) bool
}

// Removal counts the namespaces that hold entries of a RegistryCredential and those of them that its spec no longer selects,
// and reports whether that removal waits for confirmation.
type Removal func(ctx context.Context, credential *v1alpha1.RegistryCredential) (delivered.Removal, error)

// Reconciler reads, proves and publishes credentials.
type Reconciler struct {
	Client          client.Client
	Source          Reader
	Leases          Releaser
	Prover          Prover
	Images          Images
	Running         Pods
	Store           *records.Store
	Board           *delivered.Board
	Pods            *podcounts.Counter
	Secrets         Names
	ServiceAccounts Names
	Removal         Removal
	Protected       []string
	Events          announce.Recorder
	Metrics         Metrics
	// Now is the clock.
	Now func() time.Time
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog

	memories memories
}

// Reconcile goes through the phases of one RegistryCredential and then writes its status once.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if err := r.Store.Load(ctx); err != nil {
		return ctrl.Result{}, err
	}
	var object v1alpha1.RegistryCredential
	err := r.Client.Get(ctx, request.NamespacedName, &object)
	if apierrors.IsNotFound(err) {
		r.memories.forget(request.Name)
		r.Metrics.Forget(request.Name)
		return ctrl.Result{}, r.Store.Forget(ctx, request.Name)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if object.DeletionTimestamp != nil {
		return r.finish(ctx, &object)
	}
	if err := r.ensureFinalizer(ctx, &object); err != nil {
		return ctrl.Result{}, err
	}
	run := r.begin(&object)
	phaseErr := r.phases(ctx, run)
	result, err := r.report(ctx, run)
	return result, errors.Join(phaseErr, err)
}

// phases in their order. A phase that cannot go on says so in the run; an error is a fault of ours or of the API server.
func (r *Reconciler) phases(ctx context.Context, run *run) error {
	if run.object.Spec.Suspend {
		return nil
	}
	if run.stall = r.checkSpec(run.object); run.stall != nil {
		return nil
	}
	candidate := r.refresh(ctx, run)
	if err := r.prove(ctx, run, candidate); err != nil {
		return err
	}
	r.release(ctx, run)
	return nil
}

// stall is why a person must act before anything can go on.
type stall struct{ reason, message string }

// checkSpec finds what the API server could not refuse: names that this operator was not given, a selector that does not parse.
func (r *Reconciler) checkSpec(object *v1alpha1.RegistryCredential) *stall {
	t := &object.Spec.Target
	if !r.Secrets.Allowed(t.Name()) {
		return &stall{v1alpha1.ReasonSecretNameNotAllowed, fmt.Sprintf(
			"the operator may not write Secrets named %s: use a name that it was given, or add this one to --secret-names and to the operator's role", t.Name())}
	}
	for _, account := range t.Accounts() {
		if !r.ServiceAccounts.Allowed(account) {
			return &stall{v1alpha1.ReasonServiceAccountNotAllowed, fmt.Sprintf(
				"the operator may not patch ServiceAccounts named %s: add the name to --service-account-names and to the operator's role", account)}
		}
	}
	if _, err := r.selector(object); err != nil {
		return &stall{v1alpha1.ReasonInvalidSelector, err.Error()}
	}
	return nil
}

// ensureFinalizer holds objects with deletionPolicy Delete, and no others.
func (r *Reconciler) ensureFinalizer(ctx context.Context, object *v1alpha1.RegistryCredential) error {
	before := object.DeepCopy()
	changed := false
	if object.Spec.Policy() == v1alpha1.DeletionDelete {
		changed = controllerutil.AddFinalizer(object, v1alpha1.Finalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer)
	}
	if !changed {
		return nil
	}
	return r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// finish lets an object go: at once with deletionPolicy Retain, and when no entry of it is left with Delete. It needs neither
// the source nor the registry.
func (r *Reconciler) finish(ctx context.Context, object *v1alpha1.RegistryCredential) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	if object.Spec.Policy() == v1alpha1.DeletionDelete {
		removal, err := r.Removal(ctx, object)
		if err != nil {
			return ctrl.Result{}, err
		}
		if removal.Holding > 0 {
			return ctrl.Result{RequeueAfter: time.Second}, r.reportDeletion(ctx, object, removal)
		}
	}
	before := object.DeepCopy()
	controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer)
	err := r.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// event tells people, at the object.
func (r *Reconciler) event(object *v1alpha1.RegistryCredential, kind, reason, action, message string) {
	if kind == "" {
		kind = corev1.EventTypeNormal
	}
	r.Events.Eventf(object, nil, kind, reason, action, "%s", message)
}
