package credential

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"regcred.dev/regcred/internal/announce"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/laststatus"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/tracing"
	"regcred.dev/regcred/internal/watchdog"
)

// Names says which names of Secrets or ServiceAccounts the operator may touch: *named.Caches.
type Names interface {
	Allowed(name string) bool
	Names() []string
}

// Removal says what a RegistryCredential is about to lose by its spec as it is, and whether that waits for confirmation.
type Removal func(ctx context.Context, credential *v1alpha1.RegistryCredential) (delivered.Removal, error)

// Reconciler reads, proves and publishes credentials.
type Reconciler struct {
	Client client.Client
	// Live reads RegistryCredentials past the cache.
	Live            client.Reader
	Source          source.Reader
	Leases          source.Leases
	Asker           Asker
	Images          Images
	Running         RunningPods
	Store           *records.Store
	Board           *delivered.Board
	Pods            *podcounts.Counter
	Secrets         Names
	ServiceAccounts Names
	Removal         Removal
	Protected       []string
	Events          announce.Recorder
	Metrics         Metrics
	// Injection says whether the admission policy for attach: Pods adds the Secret of a RegistryCredential to new pods. It may be nil: then
	// that is never known.
	Injection func(*v1alpha1.RegistryCredential) injection.State
	// Now is the clock.
	Now func() time.Time
	// ClusterNow is the API server's time, with which the age of pods is compared. Now, where it is nil.
	ClusterNow func() time.Time
	// SourceNews is what sources tell. It may be nil.
	SourceNews *News
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog
	// Traces has spans of reads, tests, publications and fan-outs. It may be nil.
	Traces *tracing.Rotations

	memories memories
	tests    tester
	statuses laststatus.Of[*v1alpha1.RegistryCredentialStatus]
}

// Reconcile carries out what the state machine says about one RegistryCredential, until it rests, and then writes the status. The status
// is written whatever went wrong before: what could not be done is a part of it.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if err := r.Store.Load(ctx); err != nil {
		return ctrl.Result{}, err
	}
	var object v1alpha1.RegistryCredential
	err := r.Client.Get(ctx, request.NamespacedName, &object)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, r.forget(ctx, request.Name)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if r.memories.another(&object) {
		r.drop(object.Name)
	}
	if err := r.Store.LookAgain(ctx, object.Name); err != nil {
		return r.leaveAlone(ctx, &object, err)
	}
	if err := r.behind(ctx, &object); err != nil {
		return ctrl.Result{}, err
	}
	if object.DeletionTimestamp != nil {
		return r.finish(ctx, &object)
	}
	if err := r.ensureFinalizer(ctx, &object); err != nil {
		return ctrl.Result{}, err
	}
	run := r.begin(&object)
	workErr := r.work(ctx, run)
	result, err := r.report(ctx, run)
	return result, errors.Join(workErr, err)
}

// forget drops all that is known of a RegistryCredential that the cache does not show.
func (r *Reconciler) forget(ctx context.Context, name string) error {
	if err := r.gone(ctx, name); err != nil {
		return err
	}
	r.drop(name)
	return r.Store.Forget(ctx, name)
}

// drop drops what this process remembers of a RegistryCredential that is gone. One that was created again under its name starts with nothing, also where
// nobody saw that there was none in between.
func (r *Reconciler) drop(name string) {
	r.memories.forget(name)
	r.statuses.Forget(name)
	r.tests.take(name, "") // those of a test that ended since
	r.Metrics.Forget(name)
	r.Traces.Forget(name)
	r.Pods.Forget(name)
}

// event tells people, at the object.
func (r *Reconciler) event(object *v1alpha1.RegistryCredential, kind, reason, action, message string) {
	message = foreign.Message(message)
	if reason != v1alpha1.ReasonPublished && reason != v1alpha1.ReasonRestored { // those have lines of their own, with more fields
		log.Log.Info("Told people by an event", "controller", "credential", "name", object.Name, "type", kind, "reason", reason, "message", message)
	}
	r.Events.Eventf(object, nil, kind, reason, action, "%s", message)
}
