package credential

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/registry"
)

// statusFacts are everything that a status is made of. The status is computed from them in one place, so that no two parts of
// it can contradict each other.
type statusFacts struct {
	object *v1alpha1.RegistryCredential
	record records.Record
	memory *memory
	stall  *stall
	// selected namespaces, sorted, and those that the spec names and that do not exist.
	selected, missing []string
	deliveries        map[string]delivered.Delivery
	removal           delivered.Removal
	stuck, atRisk     int
	// verdict and answer of the registry about the published value.
	verdict records.Verdict
	answer  string
	// tests are the last ones of the published value and of one that waits, one for each registry.
	tests []records.Test
}

// status computes the status from the facts. before gives what does not follow from them: the times of transitions.
func (f *statusFacts) status(before *v1alpha1.RegistryCredentialStatus, now time.Time) *v1alpha1.RegistryCredentialStatus {
	status := before.DeepCopy()
	status.ObservedGeneration = f.object.Generation
	status.Credential = f.credential()
	failures := f.failures()
	status.Namespaces = &v1alpha1.NamespacesStatus{
		Selected: int32(len(f.selected)), Synced: int32(f.synced()),
		Failures: f.listed(failures),
	}
	status.Pods = &v1alpha1.PodsStatus{Stuck: int32(f.stuck), AtRisk: int32(f.atRisk)}
	set := func(c metav1.Condition) { setCondition(&status.Conditions, f.object.Generation, now, c) }
	set(f.available())
	set(f.verified(now))
	set(f.secretsSynced(failures))
	set(f.accountsAttached(failures))
	ready, reconciling, stalled := f.summary(status.Conditions)
	set(ready)
	for _, abnormal := range []metav1.Condition{reconciling, stalled, f.unusableForm()} {
		if abnormal.Status == metav1.ConditionTrue {
			set(abnormal)
		} else {
			meta.RemoveStatusCondition(&status.Conditions, abnormal.Type)
		}
	}
	return status
}

// setCondition sets a condition with whole seconds, as the API writes them: otherwise each run would see a change.
func setCondition(conditions *[]metav1.Condition, generation int64, now time.Time, c metav1.Condition) {
	c.ObservedGeneration = generation
	c.LastTransitionTime = metav1.NewTime(now.UTC().Truncate(time.Second))
	meta.SetStatusCondition(conditions, c)
}

func (f *statusFacts) credential() *v1alpha1.CredentialStatus {
	if !f.record.Published() {
		return nil
	}
	return &v1alpha1.CredentialStatus{
		Revision: f.record.Revision, ChangeTime: timeOf(f.record.ChangeTime),
		VerifiedTime: timeOf(f.record.VerifiedTime), ExpireTime: timeOf(f.record.ExpireTime),
	}
}

func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	whole := metav1.NewTime(t.Truncate(time.Second).Local())
	return &whole
}

func (f *statusFacts) available() metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionCredentialAvailable}
	switch fault := f.memory.fault; {
	case f.object.Spec.Suspend:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonSuspended, "the source is not read while spec.suspend is true"
	case fault != nil:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, fault.Reason, fault.Message
		if f.record.Published() {
			c.Message = strings.TrimRight(c.Message, ". ") + ". What is published stays in use."
		}
	case f.memory.lastRead.IsZero():
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "the source was not read yet"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonRead, "the source gives a usable credential"
	}
	return c
}

func (f *statusFacts) verified(now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionUnknown}
	waiting := f.memory.proof
	switch {
	case f.object.Spec.VerificationMode() == v1alpha1.VerifyDisabled:
		c.Reason, c.Message = v1alpha1.ReasonVerificationOff, "spec.verification.mode is Disabled: what the source gives is published untested"
	case f.record.Published() && f.verdict == records.Rejected:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted
		c.Message = fmt.Sprintf("the registry refuses the credential in use: %s. %s. New pods cannot pull", f.answer, f.evidence(now))
	case waiting.verdict == records.Rejected:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonRejected
		c.Message = "the new value in the source is not published, because the registry refuses it: " + waiting.message + ". Correct it in the source"
	case !waiting.held.IsZero():
		c.Reason, c.Message = v1alpha1.ReasonHeld, fmt.Sprintf("a new value is held back until the registry accepts it, or until %s: %s",
			waiting.held.UTC().Format(time.RFC3339), waiting.message)
	case !f.record.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "nothing was published yet"
	case !f.record.VerifiedTime.IsZero():
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonAccepted, "the registry accepts the credential"
	default:
		c.Reason, c.Message = v1alpha1.ReasonUnproven, "the credential is in use, but the registry could not be asked: "+f.answer
	}
	return c
}

// evidence tells an end that was known, a rotation and anything else apart, as far as a registry's refusal and the source let it.
func (f *statusFacts) evidence(now time.Time) string {
	m := f.memory
	switch ends := f.record.ExpireTime; {
	case !ends.IsZero() && !now.Before(ends) && f.record.Minted:
		return fmt.Sprintf("It expired at %s and no new one was obtained: see CredentialAvailable", ends.UTC().Format(time.RFC3339))
	case !ends.IsZero() && !now.Before(ends):
		return fmt.Sprintf("It expired at %s: store a new one in the source", ends.UTC().Format(time.RFC3339))
	case m.candidate != nil:
		return fmt.Sprintf("It was rotated: the source has revision %s already, which is not in use yet", m.candidate.Revision)
	case m.fault == nil && !m.readNow && !m.lastRead.IsZero() && f.record.Lease == nil:
		return "The source still has it: it was changed or revoked at the registry alone, or the account is locked; store the valid one in the source"
	}
	return "Whether the source has another one is not known yet: see CredentialAvailable"
}

func (f *statusFacts) secretsSynced(failures []v1alpha1.NamespaceFailure) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionSecretsSynced, Status: metav1.ConditionFalse}
	name := f.object.Spec.Target.Name()
	bad := f.failing(failures, false)
	switch {
	case f.stall != nil:
		c.Reason, c.Message = f.stall.reason, f.stall.message
	case !f.record.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "there is no credential to write yet: see CredentialAvailable and Verified"
	case len(bad) > 0:
		c.Reason, c.Message = bad[0].Reason, f.sum(bad)
	case f.pending() > 0:
		c.Reason, c.Message = v1alpha1.ReasonProgressing, fmt.Sprintf("Secret %s is being written", name)
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonSynced
		c.Message = fmt.Sprintf("Secret %s is right in all selected namespaces", name)
	}
	return c
}

func (f *statusFacts) accountsAttached(failures []v1alpha1.NamespaceFailure) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionServiceAccountsAttached, Status: metav1.ConditionFalse}
	accounts := f.object.Spec.Target.Accounts()
	bad := f.failing(failures, true)
	switch {
	case len(accounts) == 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonNoServiceAccounts, "spec.target.serviceAccounts is empty: pods must name the Secret themselves"
	case f.stall != nil:
		c.Reason, c.Message = f.stall.reason, f.stall.message
	case !f.record.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "there is no Secret to attach yet"
	case len(bad) > 0:
		c.Reason, c.Message = bad[0].Reason, f.sum(bad)
	case f.pending() > 0:
		c.Reason, c.Message = v1alpha1.ReasonProgressing, "the Secret is being attached"
	case slices.ContainsFunc(f.object.Spec.Registries, func(r v1alpha1.Registry) bool { return registry.IsDockerHub(string(r)) }):
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonEndsAnonymousPulls
		c.Message = "attached; pods of these ServiceAccounts no longer pull from Docker Hub anonymously: if this credential fails, public images fail, too"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonAttached, "all ServiceAccounts name the Secret"
	}
	return c
}

// failing picks the failures that lie with ServiceAccounts, or those that lie with Secrets.
func (f *statusFacts) failing(failures []v1alpha1.NamespaceFailure, accounts bool) []v1alpha1.NamespaceFailure {
	return slices.DeleteFunc(slices.Clone(failures), func(failure v1alpha1.NamespaceFailure) bool {
		return f.deliveries[failure.Namespace].ServiceAccounts != accounts
	})
}

func (f *statusFacts) sum(failures []v1alpha1.NamespaceFailure) string {
	first := failures[0]
	if len(failures) == 1 {
		return fmt.Sprintf("namespace %s: %s", first.Namespace, first.Message)
	}
	return fmt.Sprintf("%d of %d namespaces are not served; the first, %s: %s", len(failures), len(f.selected)+len(f.missing), first.Namespace, first.Message)
}
