package overview

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Stage is how far a refresh has come.
type Stage int

// The stages of a refresh, in their order.
const (
	// StageRequested: the operator did not answer yet.
	StageRequested Stage = iota
	// StageRead: the source was asked, and gave nothing usable or something that is not in use yet.
	StageRead
	// StagePublished: what the source gives is in use, and not yet in every namespace, or the registry did not say whether it accepts it.
	StagePublished
	// StageDelivered: every namespace that can be served has it, and the registry accepts it where it is asked.
	StageDelivered
)

// Progress is how far a refresh has come.
type Progress struct {
	Stage Stage
	// Failed says that it comes no further until a person acts.
	Failed bool
	// Message says what was reached or what is in the way.
	Message string
	// Unreadable says that the source gave nothing usable when it was last asked, which Message tells. It may pass without a person; where it
	// lasts, a person must act.
	Unreadable bool
	// Synced of Selected namespaces have the value, while it is being delivered.
	Synced, Selected int32
}

// Done reports whether there is nothing left to wait for.
func (p Progress) Done() bool { return p.Failed || p.Stage == StageDelivered }

// ProgressOf says how far the refresh has come that was asked for by a value of the annotation.
func ProgressOf(object *v1alpha1.RegistryCredential, request string) Progress {
	p := progressOf(object, request)
	p.Message = foreign.Message(p.Message)
	return p
}

func progressOf(object *v1alpha1.RegistryCredential, request string) Progress {
	status := &object.Status
	switch {
	case object.DeletionTimestamp != nil:
		return Progress{Failed: true, Message: "the RegistryCredential is being deleted"}
	case object.Spec.Suspend:
		return Progress{Failed: true, Message: "spec.suspend is true, so the source is not read: set it to false"}
	case status.LastHandledRefresh == request && status.ObservedGeneration >= object.Generation:
		return progressOfValue(status)
	case object.Annotations[v1alpha1.RefreshRequestedAtAnnotation] != request && status.LastHandledRefresh != request:
		return Progress{Failed: true, Message: "somebody else changed the annotation " + v1alpha1.RefreshRequestedAtAnnotation +
			" meanwhile: a second refresh, or a tool that reverts changes. Follow with kubectl regcred status, or ask again"}
	}
	return waiting(object)
}

// waiting is a refresh that the operator did not answer. What made the read before fail is told: it can be why this one has no answer, too.
func waiting(object *v1alpha1.RegistryCredential) Progress {
	available := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionCredentialAvailable)
	if available == nil || available.Status != metav1.ConditionFalse || object.Status.ObservedGeneration < object.Generation {
		return Progress{Message: "waiting for the operator"}
	}
	return Progress{Unreadable: true, Message: "waiting for the operator, which last could not read the source: " + saidBy(available)}
}

// progressOfValue follows what the source gave into use. All conditions of a status are of one moment.
func progressOfValue(status *v1alpha1.RegistryCredentialStatus) Progress {
	available := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionCredentialAvailable)
	verified := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionVerified)
	complete := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRotationComplete)
	if available == nil || verified == nil || complete == nil {
		return Progress{Stage: StageRead, Message: "the operator did not say yet what the source gave"}
	}
	waits := complete.Reason == v1alpha1.ReasonProgressing // a new value is there and not in use
	switch {
	case available.Status != metav1.ConditionTrue:
		return Progress{Stage: StageRead, Failed: needsPerson(status, available), Unreadable: available.Status == metav1.ConditionFalse, Message: saidBy(available)}
	case verified.Reason == v1alpha1.ReasonRejected, verified.Reason == v1alpha1.ReasonNoLongerAccepted && !waits:
		return Progress{Stage: StageRead, Failed: true, Message: saidBy(verified)}
	case verified.Reason == v1alpha1.ReasonHeld:
		return Progress{Stage: StageRead, Message: saidBy(verified)}
	case waits, complete.Reason == v1alpha1.ReasonNothingPublished:
		return Progress{Stage: StageRead, Message: "the source gave a value, which the registry is asked about now"}
	}
	return progressOfDelivery(status, verified, complete)
}

// retried are the reasons of namespaces that the operator tries again soon.
var retried = []string{v1alpha1.ReasonWriteFailed, v1alpha1.ReasonContested}

func progressOfDelivery(status *v1alpha1.RegistryCredentialStatus, verified, complete *metav1.Condition) Progress {
	if synced := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSecretsSynced); synced != nil && isNowhere(status, synced) {
		return Progress{Stage: StagePublished, Failed: true, Message: saidBy(synced)} // whoever rotates is not to revoke a password for a typo
	}
	switch {
	case complete.Reason == v1alpha1.ReasonDelivering:
		return progressOfNamespaces(status, complete)
	case complete.Reason == v1alpha1.ReasonUnproven:
		return Progress{Stage: StagePublished, Message: saidBy(verified) + ". The value before may be the only one that works: do not revoke it"}
	case verified.Reason == v1alpha1.ReasonUnproven: // and there is none before that works
		return Progress{Stage: StagePublished, Message: saidBy(verified)}
	}
	return Progress{Stage: StageDelivered, Message: complete.Message}
}

// progressOfNamespaces counts them while some have not the value yet.
func progressOfNamespaces(status *v1alpha1.RegistryCredentialStatus, complete *metav1.Condition) Progress {
	n := status.Namespaces
	if n == nil || status.Credential == nil {
		return Progress{Stage: StagePublished, Message: complete.Message}
	}
	p := Progress{Stage: StagePublished, Synced: n.Synced, Selected: n.Selected,
		Message: fmt.Sprintf("revision %s is in %d of %d namespaces", status.Credential.Revision, n.Synced, n.Selected)}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled); ready != nil && ready.Status == metav1.ConditionTrue {
		return Progress{Stage: StagePublished, Failed: true, Message: p.Message + ": " + saidBy(ready)}
	}
	for _, f := range n.Failures {
		if n.Synced+n.Failed >= n.Selected && !slices.Contains(retried, f.Reason) && f.Reason != v1alpha1.ReasonNamespaceTerminating {
			p.Failed = true
			p.Message += fmt.Sprintf(", and %d cannot be served; the first, %s: %s: %s", n.Failed, f.Namespace, f.Reason, f.Message)
			return p
		}
	}
	return p
}

// isNowhere reports whether spec.target selects no namespace that exists: by labels that none has, or by names of none.
func isNowhere(status *v1alpha1.RegistryCredentialStatus, synced *metav1.Condition) bool {
	n := status.Namespaces
	if synced.Reason != v1alpha1.ReasonNamespaceNotFound || n == nil {
		return synced.Reason == v1alpha1.ReasonNoNamespaces
	}
	exists := func(f v1alpha1.NamespaceFailure) bool {
		return f.Reason != v1alpha1.ReasonNamespaceNotFound && f.Reason != v1alpha1.ReasonNamespaceTerminating
	}
	return n.Failed == n.Selected && !slices.ContainsFunc(n.Failures, exists)
}

// passing are the reasons for which a source cannot be read that end without a person, unless Stalled says otherwise.
var passing = []string{
	v1alpha1.ReasonUnavailable, v1alpha1.ReasonSealed, v1alpha1.ReasonProxyFailed, v1alpha1.ReasonRateLimited, v1alpha1.ReasonLoginFailed,
	v1alpha1.ReasonExchangeRefused, v1alpha1.ReasonExchangeUnavailable,
}

// needsPerson reports whether a source is not read until a person acts. Stalled may tell of something graver, and so of none of this.
func needsPerson(status *v1alpha1.RegistryCredentialStatus, available *metav1.Condition) bool {
	if available.Status != metav1.ConditionFalse {
		return false
	}
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
	return !slices.Contains(passing, available.Reason) || stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == available.Reason
}

func saidBy(c *metav1.Condition) string { return c.Reason + ": " + c.Message }
