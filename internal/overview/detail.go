package overview

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Detail is all that is to be said of one RegistryCredential. Its JSON form is stable. It holds no secret.
type Detail struct {
	Row        `json:",inline"`
	Registries []string `json:"registries"`
	// Place is where the source is, in words.
	Place string `json:"place"`
	// Proof says how the registry accepted the value in use: Pull, Login, or nothing.
	Proof      string      `json:"proof,omitempty"`
	Conditions []Condition `json:"conditions"`
	Previous   *Previous   `json:"previous,omitempty"`
	// Revocation answers whether the value before may be revoked.
	Revocation Revocation `json:"revocation"`
	// Removal is the value of the annotation that confirms a removal, empty where none waits.
	Removal string `json:"pendingRemoval,omitempty"`
	// Failed is how many namespaces are not served, Failures are the first of them.
	Failed   int32     `json:"failed"`
	Failures []Failure `json:"failures,omitempty"`
}

// Condition is a condition of the object.
type Condition struct {
	Type    string                 `json:"type"`
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason"`
	Message string                 `json:"message"`
	Since   *time.Time             `json:"since,omitempty"`
}

// Failure is a namespace that is not served.
type Failure struct {
	Namespace string `json:"namespace"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

// Previous is the value that was in use before.
type Previous struct {
	Revision     string     `json:"revision"`
	ReplacedTime *time.Time `json:"replacedTime,omitempty"`
	// Registry is what the registry last said of it, Namespaces in how many it still is.
	Registry   string `json:"registry"`
	Namespaces int32  `json:"namespaces"`
}

// Revocation is the answer to: may the value before be revoked?
type Revocation string

const (
	// RevokeNow means that nothing depends on it any more.
	RevokeNow Revocation = "Now"
	// RevokeLater means that something still depends on it, or that nobody knows whether the value in use works.
	RevokeLater Revocation = "NotYet"
	// RevokedAlready means that it no longer works.
	RevokedAlready Revocation = "Done"
	// RevokeInUse means that the old password is the value in use: a new one waits.
	RevokeInUse Revocation = "InUse"
	// RevokeNothing means that no value before is known.
	RevokeNothing Revocation = "Nothing"
)

// DetailOf is all that is to be said of a RegistryCredential at a time.
func DetailOf(object *v1alpha1.RegistryCredential, now time.Time) Detail {
	d := Detail{Row: RowOf(object, now), Place: placeOf(object), Revocation: revocationOf(object), Conditions: []Condition{}}
	for _, registry := range object.Spec.Registries {
		d.Registries = append(d.Registries, foreign.Name(string(registry)))
	}
	for _, c := range object.Status.Conditions {
		d.Conditions = append(d.Conditions, Condition{
			Type: foreign.Name(c.Type), Status: c.Status, Reason: foreign.Name(c.Reason), Message: foreign.Message(c.Message), Since: timeOf(&c.LastTransitionTime),
		})
	}
	if c := object.Status.Credential; c != nil {
		d.Proof = foreign.Name(c.ProvenBy)
	}
	if p := object.Status.Previous; p != nil {
		d.Previous = &Previous{Revision: foreign.Name(p.Revision), ReplacedTime: timeOf(p.ReplacedTime), Registry: foreign.Name(p.Registry), Namespaces: p.Namespaces}
	}
	if p := object.Status.PendingRemoval; p != nil {
		d.Removal = foreign.Name(p.ID)
	}
	if n := object.Status.Namespaces; n != nil {
		d.Failed = n.Failed
		for _, f := range n.Failures {
			d.Failures = append(d.Failures, Failure{Namespace: foreign.Name(f.Namespace), Reason: foreign.Name(f.Reason), Message: foreign.Message(f.Message)})
		}
	}
	return d
}

func placeOf(object *v1alpha1.RegistryCredential) string {
	v := object.Spec.Source.Vault
	if v == nil {
		return "no source that this version of the plugin knows"
	}
	return fmt.Sprintf("Vault, mount %s, path %s (%s), through VaultConnection %s",
		foreign.Name(v.Mount), foreign.Name(v.Path), foreign.Name(string(v.EngineKind())), foreign.Name(v.ConnectionName()))
}

// revocationOf reads the answer from RotationComplete. Whatever is not known for sure keeps the value before alive.
func revocationOf(object *v1alpha1.RegistryCredential) Revocation {
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionRotationComplete)
	switch {
	case object.Status.Previous != nil:
	case object.Status.Credential != nil && c != nil && c.Reason == v1alpha1.ReasonProgressing:
		return RevokeInUse
	default:
		return RevokeNothing
	}
	if c == nil || object.Status.ObservedGeneration < object.Generation || object.Status.Previous.Namespaces > 0 {
		return RevokeLater
	}
	switch c.Reason {
	case v1alpha1.ReasonOldAccepted, v1alpha1.ReasonOldUnknown:
		return RevokeNow
	case v1alpha1.ReasonOldRefused, v1alpha1.ReasonOldEnded:
		return RevokedAlready
	}
	return RevokeLater
}
