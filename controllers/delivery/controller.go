package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/watchdog"
	"regcred.dev/regcred/internal/width"
)

// Named reads objects of one kind by the names that the operator may touch: *named.Caches.
type Named interface {
	// Get fails with named.ErrNotAllowed where the operator was not given the name.
	Get(ctx context.Context, key client.ObjectKey, into client.Object) error
	// List calls visit for each cache, after into was filled from it. visit must not change the objects.
	List(ctx context.Context, namespace string, into client.ObjectList, visit func()) error
	Allowed(name string) bool
	Names() []string
	Each(func(cache.Cache) error) error
}

// Reconciler makes pull Secrets right.
type Reconciler struct {
	// Cluster reads RegistryCredentials and Namespaces from the manager's cache.
	Cluster client.Reader
	// Writer writes Secrets and ServiceAccounts, and reads them past the cache where the cache was found to lag.
	Writer client.Client
	// Secrets and ServiceAccounts are read by the names that the operator was given.
	Secrets         Named
	ServiceAccounts Named
	Store           *records.Store
	Board           *delivered.Board
	// Pods says where pods are stuck: these namespaces get a new value first. Optional.
	Pods *podcounts.Counter
	// Injection says whether the admission policy for attach: Pods adds the Secret of a RegistryCredential to new pods. Where it does not,
	// ServiceAccounts keep what they were given.
	Injection func(*v1alpha1.RegistryCredential) injection.State
	// Protected namespaces are selected by name only.
	Protected []string
	// Events tells the people of a namespace that it lost something. Optional.
	Events announce.Writer
	// Now is the clock.
	Now func() time.Time
	// Watchdog notices when the controller stands still. It may be nil.
	Watchdog *watchdog.Watchdog

	memories   memories
	departed   departed
	selectors  selectors
	successors successors
	keepers    keepers
	ledger     ledger
	echoes     echoes
	width      width.Width
}

// Reconcile makes one pull Secret right: gather, decide, act, say what became of it.
func (r *Reconciler) Reconcile(ctx context.Context, place delivered.Place) (ctrl.Result, error) {
	if err := r.Store.Load(ctx); err != nil {
		return ctrl.Result{}, err
	}
	defer r.look(place)()
	facts, err := r.gather(ctx, place)
	if err != nil {
		return ctrl.Result{}, err
	}
	if facts.namespace == nil {
		// A namespace that is gone or going takes its Secrets with it, and does not count.
		r.memories.forgetNamespace(place.Namespace)
		r.Board.Post(place, facts.leaving())
		return ctrl.Result{}, r.leave(ctx, place)
	}
	r.tellOfUntold(ctx, facts)
	outcome := r.act(ctx, facts)
	if outcome.conflict() {
		// Somebody was faster. There is nothing to tell before it was looked at again.
		return ctrl.Result{RequeueAfter: facts.memory.afterConflict()}, nil
	}
	facts.memory.conflicts = 0
	if facts.secret == nil && len(facts.contributions) == 0 {
		r.memories.forget(place) // nobody wants anything here, and most namespaces want few of all names
	}
	r.Board.Post(place, outcome.deliveries(facts, r.Board))
	if outcome.settled() {
		r.ledger.settle(outcome.secret)
	}
	return ctrl.Result{RequeueAfter: soonest(outcome.after(), facts.after())}, errors.Join(outcome.retry(), errors.Join(facts.undecided...), r.ends(ctx, facts, outcome.secret))
}

// act carries the decision out. On the way in, the Secret comes before the ServiceAccounts that name it; on the way out, after.
func (r *Reconciler) act(ctx context.Context, f facts) outcome {
	plan := pullsecret.Decide(pullsecret.Input{
		Namespace: f.place.Namespace, Name: f.place.Name, Contributions: f.contributions,
		Exists: f.exists, Current: f.secret, Now: r.Now(),
	})
	result := outcome{taken: plan.Taken, refused: plan.Refused, secret: f.ours}
	detached := r.detach(ctx, f)
	if detached != nil && plan.Action == pullsecret.Delete {
		return result.with(detached)
	}
	secret, problem := r.apply(ctx, f, plan)
	if problem != nil {
		f.untaken()
		return result.with(problem)
	}
	f.returned()
	r.tellOfLosses(ctx, f, secret)
	r.vouch(f, secret, plan.Refused)
	result.secret, result.accounts = secret, r.attach(ctx, f, secret)
	result.asMeant = plan.Secret == nil || sameContent(secret, plan.Secret)
	return result.with(detached)
}

// returned forgets who was away and selects the place again: the Secret records it now.
func (f facts) returned() {
	for _, contribution := range f.contributions {
		if contribution.Returned {
			delete(f.memory.away, contribution.Credential)
		}
	}
}

// vouch notes what was delivered: all that a Secret records of the RegistryCredentials that select it, once it is as it should be.
func (r *Reconciler) vouch(f facts, secret *corev1.Secret, refused []string) {
	if secret == nil {
		return
	}
	written, known := pullsecret.SourcesOf(secret.Annotations), map[string][]string{}
	for _, one := range f.contributions {
		selects := slices.ContainsFunc(f.selecting, func(c *v1alpha1.RegistryCredential) bool { return c.Name == one.Credential })
		if selects && one.Config != nil && !slices.Contains(refused, one.Credential) {
			known[one.Credential] = written[one.Credential].Keys
		}
	}
	r.ledger.vouch(secret, known)
}
