package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RegistryCredentialStatus is what regcred last saw and did. Nothing in it changes while nothing happens.
type RegistryCredentialStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, CredentialAvailable, Verified, SecretsSynced, ServiceAccountsAttached, Reconciling, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// credential is the credential in use. It never holds a secret.
	// +optional
	Credential *CredentialStatus `json:"credential,omitempty"`
	// namespaces counts the target namespaces.
	// +optional
	Namespaces *NamespacesStatus `json:"namespaces,omitempty"`
	// pods counts the pods that hang for want of this credential.
	// +optional
	Pods *PodsStatus `json:"pods,omitempty"`
}

// CredentialStatus is the credential in use.
type CredentialStatus struct {
	// revision is the source's own name for the value, such as the version in KV v2. Compare for equality only.
	// +optional
	Revision string `json:"revision,omitempty"`
	// changeTime is when this revision was published.
	// +optional
	ChangeTime *metav1.Time `json:"changeTime,omitempty"`
	// verifiedTime is when the registry first accepted this revision.
	// +optional
	VerifiedTime *metav1.Time `json:"verifiedTime,omitempty"`
	// expireTime is when the credential ends, where that is known.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`
}

// NamespacesStatus counts the target namespaces.
type NamespacesStatus struct {
	// selected is the number of namespaces that the target selects. Terminating ones do not count.
	Selected int32 `json:"selected"`
	// synced is the number of them in which Secret and ServiceAccounts are right.
	Synced int32 `json:"synced"`
	// failures are the namespaces that are not, by name, the first 20.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Failures []NamespaceFailure `json:"failures,omitempty"`
}

// MaxNamespaceFailures is how many failing namespaces a status names.
const MaxNamespaceFailures = 20

// NamespaceFailure says why one namespace is not served.
type NamespaceFailure struct {
	// namespace is its name.
	Namespace string `json:"namespace"`
	// reason is one of the documented namespace reasons.
	Reason string `json:"reason"`
	// message says what happened and what to do next.
	Message string `json:"message"`
}

// PodsStatus counts pods in target namespaces.
type PodsStatus struct {
	// stuck is the number of pods that cannot pull an image of these registries.
	Stuck int32 `json:"stuck"`
	// atRisk is the number of pods that run now and could not pull their image on another node, because the registry refuses the
	// credential in use. It is counted only while that is so.
	AtRisk int32 `json:"atRisk"`
}
