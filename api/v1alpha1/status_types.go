package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RegistryCredentialStatus is what regcred last saw and did. Nothing in it changes while nothing happens.
type RegistryCredentialStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, CredentialAvailable, Verified, SecretsSynced, ServiceAccountsAttached, RotationComplete, Reconciling, Stalled,
	// AttachmentUnavailable, UnusableForm.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// credential is the credential in use. It never holds a secret.
	// +optional
	Credential *CredentialStatus `json:"credential,omitempty"`
	// previous is the credential that was in use before this one. It stays here, also after it has ended, until the next one
	// is published.
	// +optional
	Previous *PreviousStatus `json:"previous,omitempty"`
	// lastHandledRefresh is the last value of the annotation regcred.dev/refresh-requested-at for which the source was read. The condition
	// CredentialAvailable says whether it gave a value. A value that a registry had refused was tested again before.
	// +optional
	LastHandledRefresh string `json:"lastHandledRefresh,omitempty"`
	// pendingRemoval is a removal of entries that waits for a confirmation.
	// +optional
	PendingRemoval *PendingRemovalStatus `json:"pendingRemoval,omitempty"`
	// namespaces counts the target namespaces.
	// +optional
	Namespaces *NamespacesStatus `json:"namespaces,omitempty"`
	// attachment is present while spec.target.attach is Pods and the admission policy for it stands.
	// +optional
	Attachment *AttachmentStatus `json:"attachment,omitempty"`
	// pods counts pods in the target namespaces that this credential concerns.
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
	// provenBy says how the registries showed that they accept this revision: Pull (each let it pull an image) or Login (at least one
	// only let it log in). Empty while that is not proven.
	// +optional
	ProvenBy string `json:"provenBy,omitempty"`
	// expireTime is when the credential ends, where that is known.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`
}

// PreviousStatus is the credential that was in use before.
type PreviousStatus struct {
	// revision is the source's own name for it.
	// +optional
	Revision string `json:"revision,omitempty"`
	// replacedTime is when another one took its place.
	// +optional
	ReplacedTime *metav1.Time `json:"replacedTime,omitempty"`
	// registry says what the registry last said of it: Accepted, Rejected, Unknown (it gave no answer yet) or Ended (it expired, or its
	// lease was given back).
	Registry string `json:"registry"`
	// namespaces is in how many namespaces it still is.
	Namespaces int32 `json:"namespaces"`
}

// AttachmentStatus says how long pods were given the pull Secret as they were created.
type AttachmentStatus struct {
	// injectedSince is when regcred saw that the policy stands for this spec, by the API server's time. Pods that were created before may lack
	// the Secret.
	InjectedSince metav1.Time `json:"injectedSince"`
}

// PendingRemovalStatus is a removal that waits for a confirmation.
type PendingRemovalStatus struct {
	// id is the value that the annotation regcred.dev/confirm-removal must have. It is used up by this removal.
	ID string `json:"id"`
	// losing is how many namespaces would lose entries.
	Losing int32 `json:"losing"`
	// holding is how many namespaces hold entries now.
	Holding int32 `json:"holding"`
}

// NamespacesStatus counts the target namespaces.
type NamespacesStatus struct {
	// selected is the number of namespaces that the target selects. A namespace that it names counts, even where it does not exist.
	// Terminating ones do not count.
	Selected int32 `json:"selected"`
	// synced is the number of them in which the ServiceAccounts are right for this generation, and the Secret has the revision in use.
	Synced int32 `json:"synced"`
	// failed is the number of them that cannot be served. They make Ready False only for Forbidden, WriteFailed and RegistryTaken, or
	// when no namespace is served.
	Failed int32 `json:"failed"`
	// failures are the namespaces that are not served, by name, the first 20.
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
	// stuck is the number of pods that cannot pull an image because this credential is missing there or is refused, as far as the
	// kubelet's message tells.
	Stuck int32 `json:"stuck"`
	// atRisk is the number of pods that run now and could not pull their image on another node, because the registry refuses the
	// credential in use. It is counted only while that is so, and absent where the pods could not be listed.
	// +optional
	AtRisk *int32 `json:"atRisk,omitempty"`
	// atRiskTruncated is true where not all pods were listed, because they are too large: there can be more at risk than atRisk.
	// +optional
	AtRiskTruncated bool `json:"atRiskTruncated,omitempty"`
}
