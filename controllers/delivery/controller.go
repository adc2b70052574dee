package delivery

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/pullsecret"
)

// lookAgain is how soon a place is looked at again after a write that the cache may not show yet, or a conflict.
const lookAgain = 100 * time.Millisecond

// Reconciler makes pull Secrets right.
type Reconciler struct {
	// Cluster reads RegistryCredentials and Namespaces from the manager's cache.
	Cluster client.Reader
	// Writer writes Secrets and ServiceAccounts, and reads them past the cache where the cache was found to lag.
	Writer client.Client
	// Secrets and ServiceAccounts are read by the names that the operator was given.
	Secrets         *named.Caches
	ServiceAccounts *named.Caches
	Store           *publish.Store
	Board           *publish.Board
	// Protected namespaces are selected by name only.
	Protected []string
	// Now is the clock.
	Now func() time.Time

	contests contests
}

// Reconcile makes one pull Secret right: gather, decide, act, say what became of it.
func (r *Reconciler) Reconcile(ctx context.Context, place publish.Place) (ctrl.Result, error) {
	if err := r.Store.Load(ctx); err != nil {
		return ctrl.Result{}, err
	}
	facts, err := r.gather(ctx, place)
	if err != nil {
		return ctrl.Result{}, err
	}
	if facts.namespace == nil {
		// A namespace that is gone or going takes its Secrets with it, and does not count.
		r.contests.forget(place)
		r.Board.Post(place, nil)
		return ctrl.Result{}, nil
	}
	outcome := r.act(ctx, facts)
	r.Board.Post(place, outcome.deliveries(facts))
	if outcome.retry != nil {
		return ctrl.Result{}, outcome.retry
	}
	return ctrl.Result{RequeueAfter: outcome.after}, nil
}

// act carries the decision out. On the way in, the Secret comes before the ServiceAccounts that name it; on the way out, after.
func (r *Reconciler) act(ctx context.Context, f facts) outcome {
	plan := pullsecret.Decide(pullsecret.Input{
		Namespace: f.place.Namespace, Name: f.place.Name, Contributions: f.contributions,
		Exists: f.exists, Current: f.secret, Now: r.Now(),
	})
	result := outcome{taken: plan.Taken}
	if plan.Action == pullsecret.Delete || plan.Action == pullsecret.Keep && f.secret == nil {
		if problem := r.detachAll(ctx, f); problem != nil {
			return result.with(problem)
		}
	}
	secret, problem := r.apply(ctx, f, plan)
	if problem != nil {
		return result.with(problem)
	}
	result.secret = secret
	if secret == nil || len(f.selecting) == 0 {
		return result
	}
	return result.with(r.attach(ctx, f))
}

// isLag reports whether a write failed only because the cache was behind.
func isLag(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) && !isNamespaceGone(err)
}

func isNamespaceGone(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}
