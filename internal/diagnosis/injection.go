package diagnosis

import (
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// injectedSince is from when on each pod of the namespace that is created gets the Secret by the admission policy, zero where that is not
// known: once the policy stands and the RegistryCredential serves the namespace, which its first entry in the Secret tells. So a successor
// comes after it, and a pod that lacks the Secret all the same is not restarted for it a second time, nor once more with each rotation.
func (f *Facts) injectedSince(c *Credential) time.Time {
	served := f.Secrets[c.SecretName].Sources[c.Name].Added()
	if c.InjectedSince.IsZero() || served.IsZero() && !f.Secrets[c.SecretName].Unread {
		return time.Time{}
	}
	if served.After(c.InjectedSince) {
		return served
	}
	return c.InjectedSince
}

// missedInjection settles why the admission policy did not add the Secret to a pod.
func missedInjection(facts *Facts, c *Credential, f Finding) *Finding {
	created := facts.Pod.CreationTimestamp.Time
	optedOut := ""
	switch {
	case facts.Pod.Annotations[v1alpha1.AttachAnnotation] == v1alpha1.AttachDisabled:
		optedOut = "the pod"
	case facts.NamespaceAnnotations[v1alpha1.AttachAnnotation] == v1alpha1.AttachDisabled:
		optedOut = "namespace " + facts.Pod.Namespace
	}
	switch {
	case optedOut != "":
		return f.as(Report, ReferenceNotAdded, "%s carries the annotation %s: %s, so that Secret %s is not added to the pod", optedOut, v1alpha1.AttachAnnotation, v1alpha1.AttachDisabled, c.SecretName).
			advise("remove the annotation and recreate the pod, or name the Secret in its template")
	case c.InjectionProblem != "":
		return f.as(Report, AttachmentFails, "Secret %s is not added to pods: %s", c.SecretName, c.InjectionProblem).again(later)
	case f.Change.IsZero():
		return f.as(Wait, NotAttached, "it is not known yet whether new pods get Secret %s from the admission policy", c.SecretName).again(soon)
	case created.After(f.Change.Add(admissionLag)):
		return f.as(Report, ReferenceNotAdded, "new pods get Secret %s from the admission policy %s, and the pod was still created without it: the policy failed, or something removes it", c.SecretName, v1alpha1.InjectionPolicy).
			advise("to recreate the pod, run: kubectl delete pod %s -n %s", facts.Pod.Name, facts.Pod.Namespace)
	}
	if wait := lag(facts, f.Change); wait > 0 {
		return f.as(Wait, AdmissionLag, "the pod was created just as new pods began to get Secret %s, and missed it", c.SecretName).again(wait)
	}
	return nil
}
