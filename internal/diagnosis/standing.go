package diagnosis

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// heardWithin is how long after a pod was refused the registry was asked about its value at the latest, where it answers at all.
const heardWithin = time.Minute

// CredentialOf is what the spec of a RegistryCredential says, and its status of the attachment. What is published, and delivered into a namespace, is for the caller to add.
func CredentialOf(object *v1alpha1.RegistryCredential) Credential {
	spec := &object.Spec
	c := Credential{
		Name: object.Name, SecretName: spec.Target.Name(), Accounts: spec.Target.Accounts(), Attach: spec.Target.Attachment(),
		Mode: spec.RecoveryMode(), Suspended: spec.Suspend, Repull: spec.RepullMode() == v1alpha1.RepullEnabled,
		Judged: spec.VerificationMode() != v1alpha1.VerifyDisabled,
	}
	if object.Status.Attachment != nil && c.Attach == v1alpha1.AttachPods {
		c.InjectedSince = object.Status.Attachment.InjectedSince.Time
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady && condition.Status == metav1.ConditionFalse {
			c.Unready = condition.Reason + ": " + condition.Message
		}
		if condition.Type == v1alpha1.ConditionAttachmentUnavailable && c.Attach == v1alpha1.AttachPods {
			c.InjectionProblem = condition.Message
		}
	}
	return c
}

// Standing is what a registry last said, definitely, of a value.
type Standing struct {
	// Rejected says in words that it does not take the value, Accepted when it last took it. Both are zero where it is not known.
	Rejected string
	Accepted time.Time
	// Digests of the images that it was asked for, by image.
	Digests map[string]string
}

// Entry is a docker config key with what its registry said.
func (s Standing) Entry(key string) Entry {
	return Entry{Key: key, Rejected: s.Rejected, Accepted: s.Accepted, Digests: s.Digests}
}

// StandingOf reads a status. It does not say when the registry last took the value, because it is not written while nothing changes. But a
// pod that is refused has the registry asked, and the status would say that it refuses: what it says to be proven counts as proven a
// minute ago.
func StandingOf(status *v1alpha1.RegistryCredentialStatus, now time.Time) Standing {
	for _, c := range status.Conditions {
		if c.Type == v1alpha1.ConditionVerified && c.Reason == v1alpha1.ReasonNoLongerAccepted {
			return Standing{Rejected: c.Message}
		}
	}
	if status.Credential != nil && status.Credential.ProvenBy != "" {
		return Standing{Accepted: now.Add(-heardWithin)}
	}
	return Standing{}
}
