package credential

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// passing reasons are those of what is on its way: a ServiceAccount comes a moment after its namespace.
var passing = []string{v1alpha1.ReasonProgressing, v1alpha1.ReasonNothingPublished, v1alpha1.ReasonServiceAccountNotFound, v1alpha1.ReasonSecretMissing, v1alpha1.ReasonNoNamespaces,
	v1alpha1.ReasonSpecNotInUse}

// ours are the reasons of namespaces that are the operator's own faults, and not the namespace's: they make Ready False.
var ours = []string{v1alpha1.ReasonForbidden, v1alpha1.ReasonWriteFailed, v1alpha1.ReasonRegistryTaken}

// waits are the reasons of namespaces that pass without a person.
var waits = []string{v1alpha1.ReasonServiceAccountNotFound, v1alpha1.ReasonWriteFailed, v1alpha1.ReasonNamespaceNotFound}

// failing counts the namespaces whose fault lies with ServiceAccounts, or with Secrets.
func (f *facts) failing(accounts bool) int {
	count := 0
	if !accounts {
		count = len(f.missing)
	}
	for cause, namespaces := range f.summary.Causes {
		if cause.Reason != v1alpha1.ReasonProgressing && cause.ServiceAccounts == accounts {
			count += namespaces
		}
	}
	return count
}

// sum is the reason and message for the namespaces whose fault lies with ServiceAccounts, or with Secrets.
func (f *facts) sum(accounts bool) (reason, message string) {
	count := f.failing(accounts)
	var first v1alpha1.NamespaceFailure
	for _, failure := range f.failures() {
		d := f.atAccounts(failure.Namespace)
		if d == accounts {
			first = failure
			break
		}
	}
	if first.Namespace == "" { // further down the list than the summary names
		return f.firstCause(accounts), fmt.Sprintf("%d of %d namespaces are not served", count, f.selected())
	}
	if count == 1 {
		return first.Reason, fmt.Sprintf("namespace %s: %s", first.Namespace, first.Message)
	}
	return first.Reason, fmt.Sprintf("%d of %d namespaces are not served; the first, %s: %s", count, f.selected(), first.Namespace, first.Message)
}

func (f *facts) atAccounts(namespace string) bool {
	for _, failure := range f.summary.Failures {
		if failure.Namespace == namespace {
			return failure.Delivery.ServiceAccounts && failure.Delivery.TakenBy == ""
		}
	}
	return false
}

func (f *facts) firstCause(accounts bool) string {
	var reasons []string
	for cause := range f.summary.Causes {
		if cause.ServiceAccounts == accounts && cause.Reason != v1alpha1.ReasonProgressing {
			reasons = append(reasons, cause.Reason)
		}
	}
	slices.Sort(reasons)
	return reasons[0]
}

// newlyFailing are the conditions that namespaces made fail since people were told last, or that twice as many fail now. They sum up
// all namespaces: however many begin to fail one after the other, people are told a few times.
func (f *facts) newlyFailing(before, now *v1alpha1.RegistryCredentialStatus) []metav1.Condition {
	told := f.run.memory.told.failing
	var failing []metav1.Condition
	for _, kind := range []string{v1alpha1.ConditionSecretsSynced, v1alpha1.ConditionServiceAccountsAttached} {
		was, is := meta.FindStatusCondition(before.Conditions, kind), meta.FindStatusCondition(now.Conditions, kind)
		known := was != nil && was.Status == is.Status && was.Reason == is.Reason
		switch count := f.failing(kind == v1alpha1.ConditionServiceAccountsAttached); {
		case is.Status != metav1.ConditionFalse || slices.Contains(passing, is.Reason) || f.run.stall != nil:
			delete(told, kind)
		case known && told[kind] == 0: // an operator that ran before this one told them
			told[kind] = count
		case !known || count >= 2*told[kind]:
			told[kind] = count
			failing = append(failing, *is)
		}
	}
	return failing
}

// sumUp sums the other conditions up, as kstatus reads them.
func (f *facts) sumUp(conditions []metav1.Condition) (ready, reconciling, stalled metav1.Condition) {
	ready = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	reconciling = metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionFalse}
	stalled = metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionFalse}
	switch found := f.obstacle(conditions); {
	case f.run.spec.Suspended:
		ready.Reason, ready.Message = v1alpha1.ReasonSuspended, "spec.suspend is true: nothing is read and nothing is written; what is in the namespaces stays"
	case found.reason == "":
		ready.Status, ready.Reason, ready.Message = metav1.ConditionTrue, v1alpha1.ReasonSucceeded, f.success()
	case found.person:
		ready.Reason, ready.Message = found.reason, found.message
		stalled.Status, stalled.Reason, stalled.Message = metav1.ConditionTrue, found.reason, found.message
	default:
		ready.Reason, ready.Message = found.reason, found.message
		reconciling.Status, reconciling.Reason, reconciling.Message = metav1.ConditionTrue, found.reason, found.message
	}
	return ready, reconciling, stalled
}

func (f *facts) success() string {
	message := fmt.Sprintf("revision %s is in all %d selected namespaces", f.run.state.Revision, f.selected())
	if f.selected() == 1 {
		message = fmt.Sprintf("revision %s is in the selected namespace", f.run.state.Revision)
	}
	if failed := f.failed(); failed > 0 {
		message = fmt.Sprintf("revision %s is in %d of %d selected namespaces; %s not served: see status.namespaces.failures",
			f.run.state.Revision, f.synced(), f.selected(), areOrIs(failed))
	}
	message += f.untested()
	if f.summary.Unselected > 0 {
		message += fmt.Sprintf("; it is still in %s outside of spec.target", namespaces(f.summary.Unselected))
	}
	return message
}

// namespaces is a number of them in words.
func namespaces(n int) string {
	if n == 1 {
		return "1 namespace"
	}
	return fmt.Sprintf("%d namespaces", n)
}

// areOrIs is a number of namespaces in words, with a verb.
func areOrIs(n int) string {
	if n == 1 {
		return namespaces(n) + " is"
	}
	return namespaces(n) + " are"
}

// untested says that no registry is known to accept the value in use, where that is so.
func (f *facts) untested() string {
	switch {
	case f.run.spec.Mode == v1alpha1.VerifyDisabled:
		return "; it was not tested, because spec.verification.mode is Disabled"
	case f.verdict != rotation.Accepted:
		return "; the registry did not say whether it accepts it: see the condition Verified"
	}
	return ""
}

// obstacle is what stands between the object and Ready, and whether a person must act.
type obstacle struct {
	reason, message string
	person          bool
}

// obstacle finds the gravest.
func (f *facts) obstacle(conditions []metav1.Condition) obstacle {
	switch {
	case f.run.stall != nil:
		return obstacle{f.run.stall.reason, f.run.stall.message, true}
	case f.run.fault != nil:
		return obstacle{f.run.fault.reason, f.run.fault.message, false}
	case f.removal.Held:
		return obstacle{v1alpha1.ReasonRemovalUnconfirmed, f.heldRemoval(), true}
	}
	for _, kind := range []string{v1alpha1.ConditionCredentialAvailable, v1alpha1.ConditionVerified} {
		c := meta.FindStatusCondition(conditions, kind)
		if c.Status == metav1.ConditionTrue || c.Status == metav1.ConditionUnknown && f.run.state.Published() {
			continue
		}
		return obstacle{c.Reason, c.Message, f.needsPerson(c)}
	}
	if f.injects() && f.injection.Fault != "" {
		return obstacle{v1alpha1.ReasonInjectionMissing, f.injection.Message(), true}
	}
	return f.deliveryObstacle()
}

// needsPerson reports whether an unhealthy condition stays until a person acts.
func (f *facts) needsPerson(c *metav1.Condition) bool {
	if c.Type == v1alpha1.ConditionCredentialAvailable {
		return f.run.state.Reads.Fault != nil && f.run.state.Reads.Fault.Stalled
	}
	return c.Status == metav1.ConditionFalse
}

// deliveryObstacle: what a namespace refuses for reasons of its own fails nobody else's wait, as long as some namespace is served.
func (f *facts) deliveryObstacle() obstacle {
	switch {
	case !f.looked():
		return obstacle{v1alpha1.ReasonProgressing, "the spec changed, and the namespaces are being looked at for it", false}
	case f.selected() == 0:
		return obstacle{v1alpha1.ReasonNoNamespaces, noNamespaces(&f.run.object.Spec.Target), false}
	}
	for _, reason := range ours { // in this order: with the order of a map the status would change while nothing happens
		if f.causes(reason) {
			_, message := f.sumOf(reason)
			return obstacle{reason, message, !slices.Contains(waits, reason)}
		}
	}
	if f.pending() > 0 {
		return obstacle{v1alpha1.ReasonProgressing, fmt.Sprintf("revision %s is in %d of %d namespaces and is being written into the others",
			f.run.state.Revision, f.synced(), f.selected()), false}
	}
	if f.outlived() {
		return f.specObstacle()
	}
	if f.synced() == 0 {
		accounts := f.failing(false) == 0
		reason, message := f.sum(accounts)
		return obstacle{reason, message, !slices.Contains(waits, reason)}
	}
	return obstacle{}
}

// causes reports whether namespaces fail for a reason.
func (f *facts) causes(reason string) bool {
	for cause := range f.summary.Causes {
		if cause.Reason == reason {
			return true
		}
	}
	return false
}

// sumOf is the first failure with a reason.
func (f *facts) sumOf(reason string) (string, string) {
	for _, failure := range f.failures() {
		if failure.Reason == reason {
			return reason, fmt.Sprintf("namespace %s: %s", failure.Namespace, failure.Message)
		}
	}
	return reason, fmt.Sprintf("namespaces are not served, because of %s: see the operator's log", reason)
}
