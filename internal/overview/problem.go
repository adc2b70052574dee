package overview

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// endsSoon is how long before its end people are told of it, as the operator tells them by an event.
const endsSoon = 7 * 24 * time.Hour

// problemOf is the gravest thing that is wrong with a RegistryCredential and what to do about it, or nothing.
func problemOf(object *v1alpha1.RegistryCredential, now time.Time) string {
	for _, check := range []func(*v1alpha1.RegistryCredential, time.Time) string{
		deleting, unseen, outdated, notReady, ended, namespacesFail, podsAtRisk, endingSoon, podsStuck, unproven, unusableForm,
	} {
		if problem := check(object, now); problem != "" {
			return problem
		}
	}
	return ""
}

func deleting(object *v1alpha1.RegistryCredential, _ time.Time) string {
	if object.DeletionTimestamp == nil {
		return ""
	}
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
		if c := meta.FindStatusCondition(object.Status.Conditions, kind); c != nil {
			return "it is being deleted: " + c.Message
		}
	}
	return "it is being deleted"
}

func unseen(object *v1alpha1.RegistryCredential, _ time.Time) string {
	if object.Status.ObservedGeneration == 0 {
		return "the operator did not look at it yet. If that lasts, ask: kubectl regcred doctor"
	}
	return ""
}

func outdated(object *v1alpha1.RegistryCredential, _ time.Time) string {
	if object.Status.ObservedGeneration < object.Generation {
		return "the spec changed, and the operator did not look at that yet. If that lasts, ask: kubectl regcred doctor"
	}
	return ""
}

func notReady(object *v1alpha1.RegistryCredential, _ time.Time) string {
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return "it has no condition Ready. Ask: kubectl regcred doctor"
	case c.Status != metav1.ConditionTrue:
		return c.Reason + ": " + c.Message
	}
	return ""
}

func ended(object *v1alpha1.RegistryCredential, now time.Time) string {
	if ends := endOf(object); ends != nil && !now.Before(*ends) {
		return fmt.Sprintf("the value in use ended at %s: store a new one in the source", ends.Format(time.RFC3339))
	}
	return ""
}

func endingSoon(object *v1alpha1.RegistryCredential, now time.Time) string {
	v := object.Spec.Source.Vault
	if v == nil || v.EngineKind() == v1alpha1.EngineDynamic || v.Exchange != nil {
		return "" // what is made by each read is replaced without a person
	}
	if ends := endOf(object); ends != nil && ends.Sub(now) < endsSoon {
		return fmt.Sprintf("the value in use ends at %s: store a new one in the source before", ends.Format(time.RFC3339))
	}
	return ""
}

func endOf(object *v1alpha1.RegistryCredential) *time.Time {
	if object.Status.Credential == nil {
		return nil
	}
	return timeOf(object.Status.Credential.ExpireTime)
}

func namespacesFail(object *v1alpha1.RegistryCredential, _ time.Time) string {
	n := object.Status.Namespaces
	switch {
	case n == nil || n.Failed == 0:
		return ""
	case len(n.Failures) == 0:
		return fmt.Sprintf("%d of %d namespaces are not served", n.Failed, n.Selected)
	}
	first := n.Failures[0]
	if n.Failed == 1 {
		return fmt.Sprintf("namespace %s is not served: %s: %s", first.Namespace, first.Reason, first.Message)
	}
	return fmt.Sprintf("%d of %d namespaces are not served; the first, %s: %s: %s", n.Failed, n.Selected, first.Namespace, first.Reason, first.Message)
}

func podsAtRisk(object *v1alpha1.RegistryCredential, _ time.Time) string {
	p := object.Status.Pods
	if p == nil || p.AtRisk == nil || *p.AtRisk == 0 {
		return ""
	}
	return fmt.Sprintf("%s could not start on another node: the registry refuses the value in use", count(*p.AtRisk, "running pod"))
}

func podsStuck(object *v1alpha1.RegistryCredential, _ time.Time) string {
	p := object.Status.Pods
	if p == nil || p.Stuck == 0 {
		return ""
	}
	return count(p.Stuck, "pod") + " cannot pull an image. Ask: kubectl regcred explain pods -A"
}

func unproven(object *v1alpha1.RegistryCredential, _ time.Time) string {
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionVerified)
	if c == nil || c.Status == metav1.ConditionTrue || c.Reason == v1alpha1.ReasonVerificationOff {
		return ""
	}
	return c.Reason + ": " + c.Message
}

func unusableForm(object *v1alpha1.RegistryCredential, _ time.Time) string {
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionUnusableForm)
	if c == nil || c.Status != metav1.ConditionTrue {
		return ""
	}
	return c.Reason + ": " + c.Message
}

// count is a number of things in words.
func count(n int32, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
