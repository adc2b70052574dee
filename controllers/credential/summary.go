package credential

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// failures are the selected namespaces that are not served for a reason, and the named ones that do not exist, by name.
func (f *statusFacts) failures() []v1alpha1.NamespaceFailure {
	var failures []v1alpha1.NamespaceFailure
	missing := f.missing
	addMissing := func(before string) {
		for len(missing) > 0 && (before == "" || missing[0] < before) {
			failures = append(failures, v1alpha1.NamespaceFailure{Namespace: missing[0], Reason: v1alpha1.ReasonNamespaceNotFound,
				Message: "the namespace does not exist; it is served when it comes"})
			missing = missing[1:]
		}
	}
	for _, namespace := range f.selected {
		addMissing(namespace)
		d := f.deliveries[namespace]
		switch {
		case d.TakenBy != "":
			failures = append(failures, v1alpha1.NamespaceFailure{Namespace: namespace, Reason: v1alpha1.ReasonRegistryTaken,
				Message: fmt.Sprintf("RegistryCredential %s is older and provides the same registry in Secret %s: change the registries of one of them, or its secretName", d.TakenBy, f.object.Spec.Target.Name())})
		case d.Reason != "" && d.Reason != v1alpha1.ReasonProgressing:
			failures = append(failures, v1alpha1.NamespaceFailure{Namespace: namespace, Reason: d.Reason, Message: d.Message})
		}
	}
	addMissing("")
	return failures
}

// listed are the failures that the status has room for: those that count and, after them, namespaces that are being deleted.
func (f *statusFacts) listed(failures []v1alpha1.NamespaceFailure) []v1alpha1.NamespaceFailure {
	var leaving []v1alpha1.NamespaceFailure
	for namespace, d := range f.deliveries {
		if _, selected := slices.BinarySearch(f.selected, namespace); !selected && d.Reason == v1alpha1.ReasonNamespaceTerminating {
			leaving = append(leaving, v1alpha1.NamespaceFailure{Namespace: namespace, Reason: d.Reason, Message: d.Message})
		}
	}
	byName := func(a, b v1alpha1.NamespaceFailure) int { return cmp.Compare(a.Namespace, b.Namespace) }
	slices.SortFunc(leaving, byName)
	all := slices.Concat(failures, leaving)
	all = all[:min(len(all), v1alpha1.MaxNamespaceFailures)]
	slices.SortFunc(all, byName)
	return all
}

// passing reasons are those of what is on its way: a ServiceAccount comes a moment after its namespace.
var passing = []string{v1alpha1.ReasonProgressing, v1alpha1.ReasonNothingPublished, v1alpha1.ReasonServiceAccountNotFound}

// newlyFailing are the conditions that namespaces made fail since people were told last, or that twice as many fail now. They sum up
// all namespaces: however many begin to fail one after the other, people are told a few times.
func (f *statusFacts) newlyFailing(before, now *v1alpha1.RegistryCredentialStatus) []metav1.Condition {
	failures, told := f.failures(), f.memory.told
	var failing []metav1.Condition
	for _, kind := range []string{v1alpha1.ConditionSecretsSynced, v1alpha1.ConditionServiceAccountsAttached} {
		was, is := meta.FindStatusCondition(before.Conditions, kind), meta.FindStatusCondition(now.Conditions, kind)
		known := was != nil && was.Status == is.Status && was.Reason == is.Reason
		switch count := len(f.failing(failures, kind == v1alpha1.ConditionServiceAccountsAttached)); {
		case is.Status != metav1.ConditionFalse || slices.Contains(passing, is.Reason) || f.stall != nil:
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

// synced counts the selected namespaces in which Secret and ServiceAccounts are right.
func (f *statusFacts) synced() int {
	count := 0
	for _, namespace := range f.selected {
		if d, known := f.deliveries[namespace]; known && f.record.Published() && d.Reason == "" && d.TakenBy == "" && d.Revision == f.record.Revision {
			count++
		}
	}
	return count
}

// pending counts the selected namespaces that are neither right nor failing for a reason.
func (f *statusFacts) pending() int {
	count := 0
	for _, namespace := range f.selected {
		d, known := f.deliveries[namespace]
		if !known || d.Reason == v1alpha1.ReasonProgressing || d.Reason == "" && d.TakenBy == "" && d.Revision != f.record.Revision {
			count++
		}
	}
	return count
}

// unknown counts the selected namespaces that delivery did not look at yet.
func (f *statusFacts) unknown() int {
	count := 0
	for _, namespace := range f.selected {
		if _, known := f.deliveries[namespace]; !known {
			count++
		}
	}
	return count
}

// summary sums the other conditions up, as kstatus reads them.
func (f *statusFacts) summary(conditions []metav1.Condition) (ready, reconciling, stalled metav1.Condition) {
	ready = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	reconciling = metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionFalse}
	stalled = metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionFalse}
	switch reason, message, person := f.obstacle(conditions); {
	case f.object.Spec.Suspend:
		ready.Reason, ready.Message = v1alpha1.ReasonSuspended, "spec.suspend is true: nothing is read and nothing is written; what is in the namespaces stays"
	case reason == "":
		ready.Status, ready.Reason = metav1.ConditionTrue, v1alpha1.ReasonSucceeded
		ready.Message = fmt.Sprintf("revision %s is in all %d selected namespaces", f.record.Revision, len(f.selected))
		if len(f.selected) == 0 {
			ready.Message = "the target selects no namespace at present; new ones are served when they come"
		}
	case person:
		ready.Reason, ready.Message = reason, message
		stalled.Status, stalled.Reason, stalled.Message = metav1.ConditionTrue, reason, message
	default:
		ready.Reason, ready.Message = reason, message
		reconciling.Status, reconciling.Reason, reconciling.Message = metav1.ConditionTrue, reason, message
	}
	return ready, reconciling, stalled
}

// obstacle is what stands between the object and Ready, the gravest first, and whether a person must act.
func (f *statusFacts) obstacle(conditions []metav1.Condition) (reason, message string, person bool) {
	if f.stall != nil {
		return f.stall.reason, f.stall.message, true
	}
	if f.removal.Held {
		return v1alpha1.ReasonRemovalUnconfirmed, fmt.Sprintf(
			"the spec would take the credential from %d of the %d namespaces that hold it, and nothing was removed: if that is meant, annotate the object with %s: %q",
			f.removal.Losing, f.removal.Holding, v1alpha1.ConfirmRemovalAnnotation, f.removal.ID), true
	}
	for _, namespace := range f.selected {
		if d := f.deliveries[namespace]; d.TakenBy != "" {
			return v1alpha1.ReasonRegistryTaken, fmt.Sprintf("RegistryCredential %s is older and provides the same registry in Secret %s: change the registries of one of them, or its secretName",
				d.TakenBy, f.object.Spec.Target.Name()), true
		}
	}
	for _, kind := range []string{v1alpha1.ConditionCredentialAvailable, v1alpha1.ConditionVerified, v1alpha1.ConditionSecretsSynced, v1alpha1.ConditionServiceAccountsAttached} {
		c := meta.FindStatusCondition(conditions, kind)
		if c == nil || c.Status == metav1.ConditionTrue || c.Status == metav1.ConditionUnknown && kind == v1alpha1.ConditionVerified && f.record.Published() {
			continue
		}
		return c.Reason, c.Message, f.needsPerson(c)
	}
	if len(f.missing) > 0 {
		return v1alpha1.ReasonNamespaceNotFound, fmt.Sprintf("namespace %s does not exist; it is served when it comes", f.missing[0]), false
	}
	return "", "", false
}

// needsPerson reports whether an unhealthy condition stays until a person acts.
func (f *statusFacts) needsPerson(c *metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionCredentialAvailable:
		return f.memory.fault != nil && f.memory.fault.Stalled
	case v1alpha1.ConditionVerified:
		return c.Status == metav1.ConditionFalse
	}
	return false
}
