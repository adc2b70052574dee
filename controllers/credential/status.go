package credential

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/rotation"
)

const (
	// statusInterval is the least time between two writes of one status: a fan-out over many namespaces is not a write each.
	statusInterval = time.Second
	// settleTime is how long after a start deliveries may be unknown before the status says so.
	settleTime = 15 * time.Second
	// askAgain is how long to wait where a part of the status could not be found out.
	askAgain = 10 * time.Second
)

// report writes the status if it changed, and says when to come back.
func (r *Reconciler) report(ctx context.Context, run *run) (ctrl.Result, error) {
	f := r.factsOf(ctx, run)
	now := r.Now()
	wake := earliest(run.until, r.warnOfExpiry(run), f.changesAt(now))
	if f.unknown {
		wake = earliest(wake, now.Add(askAgain))
	}
	wake = earliest(wake, r.tellOfCures(run, f.stuck))
	if f.tooSoon(now) {
		return after(now, earliest(wake, now.Add(statusInterval))), nil
	}
	if f.looked() && f.summary.Unselected == 0 { // else more of them are about to lose it
		r.tellOfRemoved(run.object)
	}
	status := f.status(&run.object.Status, now)
	r.observe(run, f, status)
	same := equality.Semantic.DeepEqual(status, &run.object.Status)
	if same && !r.statuses.Late(run.object) {
		return after(now, wake), nil
	}
	if next := run.memory.statusTime.Add(statusInterval); !same && now.Before(next) {
		return after(now, earliest(wake, next)), nil
	}
	before := run.object.DeepCopy()
	if !same {
		run.object.Status = *status
		if err := r.writeStatus(ctx, run.object, before, run.memory); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
	}
	r.tell(f, r.statuses.Told(before, &before.Status), status)
	return after(now, wake), nil
}

// tell tells people of what a status says now that it did not say before.
func (r *Reconciler) tell(f *facts, before, now *v1alpha1.RegistryCredentialStatus) {
	for _, c := range f.newlyFailing(before, now) {
		r.event(f.run.object, corev1.EventTypeWarning, c.Reason, "Deliver", c.Message)
	}
	r.tellOfRemoval(f.run.object, before.PendingRemoval, f.removal, f.heldRemoval())
	r.tellOfSource(f.run, before, now)
	r.tellOfRotation(f, before, now)
}

// tooSoon reports whether what there is to say of a spec of which something was said before will be known in a moment.
func (f *facts) tooSoon(now time.Time) bool {
	run := f.run
	if run.object.Status.ObservedGeneration != run.object.Generation {
		return false
	}
	// Just started: what is in the namespaces is being looked at. Nothing changed, so nothing is said to have.
	starting := f.settling() && now.Sub(run.memory.seen) < settleTime
	// The registry's answer is a moment away: what is said before it would put it off.
	return starting || run.asksNow(now)
}

// asksNow reports whether a test began so lately that its answer is to be expected any moment.
func (run *run) asksNow(now time.Time) bool {
	for _, began := range run.state.Testing {
		if age := now.Sub(began); age >= 0 && age < statusInterval {
			return true
		}
	}
	return false
}

// observe gives the metrics what the status is made of.
func (r *Reconciler) observe(run *run, f *facts, status *v1alpha1.RegistryCredentialStatus) {
	s := &run.state
	r.Metrics.Observe(run.object.Name, meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady), f.selected(), f.synced(), s.ExpireTime)
	r.Metrics.Refused(run.object.Name, s.Published() && f.verdict == rotation.Rejected, int(valueOr(f.atRisk, risk{}).pods))
	r.Metrics.Troubles(run.object.Name, f.failingByReason(), f.stuck)
	r.Metrics.Schedule(run.object.Name, s.Schedule(run.spec, r.Now()))
	r.traceDelivery(f)
}

// factsOf gathers what the status is made of. What cannot be found out is a fact, too.
func (r *Reconciler) factsOf(ctx context.Context, run *run) *facts {
	f := &facts{run: run, summary: r.Board.Summary(run.object.Name, run.object.Spec.Target.Name()), stuck: r.Pods.Stuck(run.object.Name)}
	f.verdict, f.test = run.state.Of(run.spec, &run.state.Value)
	var err error
	if run.stall != nil && run.stall.reason == v1alpha1.ReasonSecretNameNotAllowed { // delivery does not look for Secrets of that name
		if selected, err := r.selected(ctx, run.object); err == nil {
			f.summary.Selected = len(selected)
		} else {
			f.cannot(ctx, "the namespaces of the spec could not be looked up", err)
		}
	}
	if f.missing, err = r.missing(ctx, run.object); err != nil {
		f.cannot(ctx, "the namespaces of the spec could not be looked up", err)
	}
	if f.removal, err = r.Removal(ctx, run.object); err != nil {
		f.cannot(ctx, "what the spec would remove could not be counted", err)
	}
	if f.atRisk, err = r.atRisk(ctx, run, f); err != nil {
		f.cannot(ctx, "the pods at risk could not be counted", err)
	}
	r.lookAtInjection(f)
	return f
}

// cannot notes what could not be found out. The first is told.
func (f *facts) cannot(ctx context.Context, what string, err error) {
	log.FromContext(ctx).Error(err, "A part of the status is not known", "part", what)
	if f.run.fault == nil {
		f.run.fault = &fault{v1alpha1.ReasonClusterUnavailable, what + "; this is tried again: see the operator's log"}
	}
	f.unknown = true
}

// missing are the namespaces that the spec names and that do not exist.
func (r *Reconciler) missing(ctx context.Context, object *v1alpha1.RegistryCredential) ([]string, error) {
	var missing []string
	target := &object.Spec.Target
	for _, name := range target.Namespaces {
		if slices.Contains(target.ExcludedNamespaces, name) {
			continue
		}
		var namespace corev1.Namespace
		err := r.Client.Get(ctx, client.ObjectKey{Name: string(name)}, &namespace)
		if apierrors.IsNotFound(err) {
			missing = append(missing, string(name))
		} else if err != nil {
			return nil, err
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// selected are the namespaces that the target selects, sorted. Terminating ones do not count.
func (r *Reconciler) selected(ctx context.Context, object *v1alpha1.RegistryCredential) ([]string, error) {
	selector, err := r.selector(object)
	if err != nil {
		return nil, nil //nolint:nilerr // checkSpec reports it as a stall: nothing is selected
	}
	var list corev1.NamespaceList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		namespace := &list.Items[i]
		if namespace.DeletionTimestamp == nil && selector.Selects(namespace.Name, namespace.Labels) {
			names = append(names, namespace.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// delivered reports whether every selected namespace has the value in use, and none that is not selected any more has another one: what
// waits for the confirmation of a removal is rotated, too.
func (r *Reconciler) delivered(object *v1alpha1.RegistryCredential, s *rotation.State) bool {
	if !s.Published() {
		return false
	}
	summary := r.Board.Summary(object.Name, object.Spec.Target.Name())
	version := delivered.Version{Revision: s.Revision, Digest: s.Digest}
	return summary.Everywhere(version, object.Generation) && summary.HoldsOther(version) == 0
}

func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// after comes back at a time, and in half a second at the earliest: a time that has passed must not keep a worker busy.
func after(now, at time.Time) ctrl.Result {
	if at.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(at.Sub(now), time.Second/2)}
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
