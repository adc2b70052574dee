package credential

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
)

const (
	// statusInterval is the least time between two writes of one status: a fan-out over many namespaces is not a write each.
	statusInterval = time.Second
	// settleTime is how long after a start deliveries may be unknown before the status says so.
	settleTime = 15 * time.Second
)

// report writes the status if it changed, and says when to come back.
func (r *Reconciler) report(ctx context.Context, run *run) (ctrl.Result, error) {
	f, err := r.statusFacts(ctx, run)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.Now()
	wake := earliest(run.memory.nextRead, run.memory.proof.next, r.warnOfExpiry(run))
	if f.unknown() > 0 && run.object.Status.ObservedGeneration == run.object.Generation && now.Sub(run.memory.seen) < settleTime {
		// Just started: what is in the namespaces is being looked at. Nothing changed, so nothing is said to have.
		return after(now, earliest(wake, now.Add(statusInterval))), nil
	}
	status := f.status(&run.object.Status, now)
	r.Metrics.Observe(run.object.Name, meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady),
		len(f.selected), f.synced(), run.record.ExpireTime)
	r.Metrics.Refused(run.object.Name, run.record.Published() && f.verdict == records.Rejected, f.atRisk)
	if equality.Semantic.DeepEqual(status, &run.object.Status) {
		return after(now, wake), nil
	}
	if next := run.memory.statusTime.Add(statusInterval); now.Before(next) {
		return after(now, earliest(wake, next)), nil
	}
	before := run.object.DeepCopy()
	run.object.Status = *status
	if err := r.Client.Status().Patch(ctx, run.object, client.MergeFrom(before)); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	run.memory.statusTime = r.Now()
	for _, c := range f.newlyFailing(&before.Status, status) {
		r.event(run.object, corev1.EventTypeWarning, c.Reason, "Deliver", c.Message)
	}
	return after(now, wake), nil
}

// reportDeletion says how many namespaces still hold entries of an object that is being deleted.
func (r *Reconciler) reportDeletion(ctx context.Context, object *v1alpha1.RegistryCredential, removal delivered.Removal) error {
	memory := r.memories.of(object, r.Now())
	if r.Now().Before(memory.statusTime.Add(statusInterval)) {
		return nil
	}
	before := object.DeepCopy()
	setCondition(&object.Status.Conditions, object.Generation, r.Now(), metav1.Condition{
		Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeleting,
		Message: fmt.Sprintf("%d namespaces still hold entries of this credential; they are being removed", removal.Holding),
	})
	if equality.Semantic.DeepEqual(before.Status, object.Status) {
		return nil
	}
	err := r.Client.Status().Patch(ctx, object, client.MergeFrom(before))
	memory.statusTime = r.Now()
	return client.IgnoreNotFound(err)
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

func (r *Reconciler) statusFacts(ctx context.Context, run *run) (*statusFacts, error) {
	selected, err := r.selected(ctx, run.object)
	if err != nil {
		return nil, err
	}
	f := &statusFacts{
		object: run.object, record: run.record, memory: run.memory, stall: run.stall, selected: selected,
		deliveries: r.Board.Of(run.object.Name, run.object.Spec.Target.Name()),
		stuck:      r.Pods.Stuck(run.object.Name),
		verdict:    records.Unknown,
	}
	for _, name := range run.object.Spec.Target.Namespaces {
		_, found := slices.BinarySearch(selected, string(name))
		terminating := f.deliveries[string(name)].Reason == v1alpha1.ReasonNamespaceTerminating
		if !found && !terminating && !slices.Contains(run.object.Spec.Target.ExcludedNamespaces, name) {
			f.missing = append(f.missing, string(name))
		}
	}
	if run.record.Published() {
		f.tests = r.testsOf(run, run.record.Config)
		f.verdict, f.answer = combine(f.tests)
	}
	if waiting := run.memory.candidate; waiting != nil {
		f.tests = append(f.tests, r.testsOf(run, waiting.Config)...)
	}
	if f.atRisk, err = r.atRisk(ctx, run, f); err != nil {
		return nil, err
	}
	if run.stall == nil {
		f.removal, err = r.Removal(ctx, run.object)
	}
	return f, err
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

func after(now, at time.Time) ctrl.Result {
	if at.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(at.Sub(now), 50*time.Millisecond)}
}
