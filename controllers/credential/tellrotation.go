package credential

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// everywhere are the reasons of RotationComplete while each selected namespace has the value in use, ended those that say that the value before
// works no more.
var (
	everywhere = []string{
		v1alpha1.ReasonFirstValue, v1alpha1.ReasonUnproven, v1alpha1.ReasonOldAccepted, v1alpha1.ReasonOldUnknown, v1alpha1.ReasonOldRefused, v1alpha1.ReasonOldEnded,
	}
	ended = []string{v1alpha1.ReasonOldRefused, v1alpha1.ReasonOldEnded}
)

// tellOfRotation tells people, once for each revision, that every namespace has it, and, once for each value that was replaced, that it works no
// more. before is what the status said. A process that did not see the revision come into use tells nothing of it: the one before it did.
func (r *Reconciler) tellOfRotation(f *facts, before, now *v1alpha1.RegistryCredentialStatus) {
	run, was, is := f.run, rotationReason(before), rotationReason(now)
	revision := revisionOf(now)
	if !publishedAt(now).Equal(publishedAt(before)) { // a new revision can have the value of before: nothing is delivered then
		run.memory.told.spreading = revision
	}
	if revision != "" && run.memory.told.spreading == revision && slices.Contains(everywhere, is) && f.summary.Selected > 0 {
		run.memory.told.spreading = ""
		r.event(run.object, corev1.EventTypeNormal, v1alpha1.ReasonDelivered, "Deliver", fmt.Sprintf("revision %s is in %s, within %s of its publication",
			revision, f.inAll(), max(0, r.Now().Sub(run.state.ChangeTime)).Round(time.Second/10)))
	}
	if slices.Contains(ended, was) {
		run.memory.told.ended = replacedIn(before)
	}
	// A namespace that comes later, or a spec that changes nothing of the password, makes the condition False for a while: nothing was rotated.
	if was != "" && slices.Contains(ended, is) && run.memory.told.ended != replacedIn(now) {
		run.memory.told.ended = replacedIn(now)
		r.event(run.object, corev1.EventTypeNormal, is, "Rotate", meta.FindStatusCondition(now.Conditions, v1alpha1.ConditionRotationComplete).Message)
	}
}

// tellOfSource tells people that the source gives nothing until a person acts: once for each reason. What passes is told by the VaultConnection, for
// all who read through it.
func (r *Reconciler) tellOfSource(run *run, before, now *v1alpha1.RegistryCredentialStatus) {
	fault := run.state.Reads.Fault
	was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionCredentialAvailable)
	is := meta.FindStatusCondition(now.Conditions, v1alpha1.ConditionCredentialAvailable)
	if fault == nil || !fault.Stalled || is.Status != metav1.ConditionFalse {
		return
	}
	if was == nil || was.Status != is.Status || was.Reason != is.Reason {
		r.event(run.object, corev1.EventTypeWarning, is.Reason, "Refresh", is.Message)
	}
}

// replacedIn names the value that was replaced last, by when and what it was. Empty where none is known.
func replacedIn(status *v1alpha1.RegistryCredentialStatus) string {
	p := status.Previous
	if p == nil {
		return ""
	}
	when := ""
	if p.ReplacedTime != nil {
		when = p.ReplacedTime.UTC().Format(time.RFC3339)
	}
	return p.Revision + " " + when
}

func revisionOf(status *v1alpha1.RegistryCredentialStatus) string {
	if status.Credential == nil {
		return ""
	}
	return status.Credential.Revision
}

func publishedAt(status *v1alpha1.RegistryCredentialStatus) *metav1.Time {
	if status.Credential == nil {
		return nil
	}
	return status.Credential.ChangeTime
}

func rotationReason(status *v1alpha1.RegistryCredentialStatus) string {
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRotationComplete); c != nil && c.Status != "" {
		return c.Reason
	}
	return ""
}

// inAll are the selected namespaces that exist, in words.
func (f *facts) inAll() string {
	there := f.summary.Selected
	switch {
	case len(f.missing) > 0:
		return fmt.Sprintf("all selected namespaces that exist, %d of %d", there, f.selected())
	case there == 1:
		return "the selected namespace"
	}
	return fmt.Sprintf("all %d selected namespaces", there)
}
