package credential

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/rotation"
)

// facts are everything that a status is made of. The status is computed from them in one place, so that no two parts of it can
// contradict each other.
type facts struct {
	run     *run
	now     time.Time
	summary delivered.Summary
	// missing are the namespaces that the spec names and that do not exist, sorted.
	missing []string
	removal delivered.Removal
	stuck   int
	// atRisk is nil where it could not be counted.
	atRisk *risk
	// injection is what is known of the admission policy for attach: Pods, where the spec asks for it, and clusterNow the API server's time.
	injection  injection.State
	clusterNow time.Time
	// verdict about the value in use, and the test that decided.
	verdict rotation.Verdict
	test    rotation.Test
	// unknown says that a part of the facts could not be found out.
	unknown bool
}

// status computes the status. before gives what does not follow from the facts: the times of transitions.
func (f *facts) status(before *v1alpha1.RegistryCredentialStatus, now time.Time) *v1alpha1.RegistryCredentialStatus {
	object := f.run.object
	f.now = now
	status := before.DeepCopy()
	status.ObservedGeneration = object.Generation
	status.Credential, status.Previous = f.credential(), f.previous()
	if f.run.memory.pending == nil { // what a request had read is not lost any more
		if handled, known := f.run.state.Handled(f.run.spec); known {
			status.LastHandledRefresh = handled
		}
	}
	status.PendingRemoval = pendingRemoval(f.removal)
	status.Attachment = f.attachment(before.Attachment)
	status.Namespaces = &v1alpha1.NamespacesStatus{
		Selected: int32(f.selected()), Synced: int32(f.synced()), Failed: int32(f.failed()), Failures: f.listed(),
	}
	status.Pods = &v1alpha1.PodsStatus{Stuck: int32(f.stuck)}
	if f.atRisk != nil {
		status.Pods.AtRisk, status.Pods.AtRiskTruncated = new(int32), f.atRisk.truncated
		*status.Pods.AtRisk = f.atRisk.pods
	}
	set := func(c metav1.Condition) { setCondition(&status.Conditions, object.Generation, now, c) }
	set(f.available())
	set(f.verified(now))
	set(f.secretsSynced())
	set(f.accountsAttached())
	set(f.rotationComplete(now))
	ready, reconciling, stalled := f.sumUp(status.Conditions)
	set(ready)
	for _, abnormal := range []metav1.Condition{reconciling, stalled, f.unusableForm(), f.attachmentUnavailable()} {
		if abnormal.Status == metav1.ConditionTrue {
			set(abnormal)
		} else {
			dropCondition(status, abnormal.Type)
		}
	}
	return status
}

// setCondition sets a condition with whole seconds, as the API writes them: otherwise each run would see a change.
func setCondition(conditions *[]metav1.Condition, generation int64, now time.Time, c metav1.Condition) {
	c.ObservedGeneration = generation
	c.Message = foreign.Message(c.Message)
	c.LastTransitionTime = metav1.NewTime(now.UTC().Truncate(time.Second))
	meta.SetStatusCondition(conditions, c)
}

func dropCondition(status *v1alpha1.RegistryCredentialStatus, kind string) {
	meta.RemoveStatusCondition(&status.Conditions, kind)
}

func (f *facts) credential() *v1alpha1.CredentialStatus {
	s := &f.run.state
	if !s.Published() {
		return nil
	}
	c := &v1alpha1.CredentialStatus{
		Revision: foreign.Name(s.Revision), ChangeTime: timeOf(s.ChangeTime), VerifiedTime: timeOf(s.VerifiedTime), ExpireTime: timeOf(s.ExpireTime),
	}
	if f.verdict == rotation.Accepted {
		c.ProvenBy = string(s.Proof)
	}
	return c
}

func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	whole := metav1.NewTime(t.Truncate(time.Second).Local())
	return &whole
}

// selected counts the namespaces that the target selects, those that it names and that do not exist included.
func (f *facts) selected() int { return f.summary.Selected + len(f.missing) }

// looked reports whether deliveries are known for the present spec.
func (f *facts) looked() bool { return f.summary.Generation == f.run.object.Generation }

// outlived reports whether the value in use was read for another source or other registries than the spec names now. It stays in use until
// there is a usable one for the present spec.
func (f *facts) outlived() bool {
	s := &f.run.state
	return s.Published() && s.Value.SpecHash != f.run.spec.SpecHash
}

// synced counts the selected namespaces in which ServiceAccounts are right for the present spec, and the Secret has the value in use.
func (f *facts) synced() int {
	s := &f.run.state
	if !s.Published() || !f.looked() {
		return 0
	}
	return f.summary.Synced(delivered.Version{Revision: s.Revision, Digest: s.Digest}, f.run.object.Generation)
}

// failed counts the selected namespaces that cannot be served.
func (f *facts) failed() int {
	count := 0
	for _, namespaces := range f.failingByReason() {
		count += namespaces
	}
	return count
}

// failingByReason counts them by why. What is merely in progress does not count.
func (f *facts) failingByReason() map[string]int {
	failing := map[string]int{}
	for cause, namespaces := range f.summary.Causes {
		if cause.Reason != v1alpha1.ReasonProgressing {
			failing[cause.Reason] += namespaces
		}
	}
	if len(f.missing) > 0 {
		failing[v1alpha1.ReasonNamespaceNotFound] += len(f.missing)
	}
	return failing
}

// pending counts the selected namespaces that are neither right nor failing.
func (f *facts) pending() int { return f.selected() - f.synced() - f.failed() }

// settling reports whether deliveries were not all looked at since the start.
func (f *facts) settling() bool {
	return f.summary.Unknown > 0 || !f.looked()
}

// listed are the failures that the status has room for: those that count and, after them, namespaces that are being deleted.
func (f *facts) listed() []v1alpha1.NamespaceFailure {
	all := f.failures()
	for _, leaving := range f.summary.Leaving {
		all = append(all, failureOf(leaving))
	}
	all = all[:min(len(all), v1alpha1.MaxNamespaceFailures)]
	slices.SortFunc(all, func(a, b v1alpha1.NamespaceFailure) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return all
}

// failures are the first selected namespaces that are not served, and the named ones that do not exist, by name.
func (f *facts) failures() []v1alpha1.NamespaceFailure {
	var all []v1alpha1.NamespaceFailure
	for _, name := range f.missing {
		all = append(all, v1alpha1.NamespaceFailure{Namespace: name, Reason: v1alpha1.ReasonNamespaceNotFound,
			Message: "the namespace does not exist; it is served as soon as it does. If the name is wrong, correct spec.target.namespaces"})
	}
	for _, failure := range f.summary.Failures {
		if failure.Delivery.TakenBy != "" {
			failure.Delivery.Reason, failure.Delivery.Message = v1alpha1.ReasonRegistryTaken, f.takenMessage(failure.Delivery.TakenBy)
		}
		all = append(all, failureOf(failure))
	}
	slices.SortFunc(all, func(a, b v1alpha1.NamespaceFailure) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return all
}

func failureOf(failure delivered.Failure) v1alpha1.NamespaceFailure {
	return v1alpha1.NamespaceFailure{Namespace: failure.Namespace, Reason: failure.Delivery.Reason, Message: foreign.Message(failure.Delivery.Message)}
}

func (f *facts) takenMessage(winner string) string {
	return "RegistryCredential " + winner + " is older and provides the same registry in Secret " + f.run.object.Spec.Target.Name() +
		": change the registries of one of them, or its secretName"
}
