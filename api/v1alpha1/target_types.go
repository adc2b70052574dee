package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ExistingSecrets says what to do where a Secret of the wanted name is there already and is not regcred's.
type ExistingSecrets string

const (
	// ExistingRefuse leaves it and reports it.
	ExistingRefuse ExistingSecrets = "Refuse"
	// ExistingAdopt takes over a hand-made pull secret; what a tool manages is still refused.
	ExistingAdopt ExistingSecrets = "Adopt"
)

// Target says into which namespaces a credential goes, and under which name.
//
// +kubebuilder:validation:XValidation:rule="(has(self.namespaces) && self.namespaces.size() > 0) || has(self.namespaceSelector)",message="say which namespaces: set namespaces, namespaceSelector or both"
// +kubebuilder:validation:XValidation:rule="!has(self.namespaceSelector) || (has(self.namespaceSelector.matchLabels) && self.namespaceSelector.matchLabels.size() > 0) || (has(self.namespaceSelector.matchExpressions) && self.namespaceSelector.matchExpressions.size() > 0)",message="an empty selector would select every namespace; if that is meant, say so with matchExpressions [{key: kubernetes.io/metadata.name, operator: Exists}]"
// +kubebuilder:validation:XValidation:rule="!has(self.namespaces) || !has(self.excludedNamespaces) || self.namespaces.all(n, !(n in self.excludedNamespaces))",message="a namespace is both in namespaces and in excludedNamespaces: take it out of one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.attach) || self.attach == 'ServiceAccounts' || !has(self.serviceAccounts) || self.serviceAccounts.size() == 0",message="serviceAccounts are served with attach ServiceAccounts alone: leave them out, or leave attach out"
type Target struct {
	// namespaces by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Namespaces []NamespaceName `json:"namespaces,omitempty"`
	// namespaceSelector selects namespaces by label, in addition to those named.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || self.matchLabels.size() <= 32",message="namespaceSelector.matchLabels has at most 32 entries: choose a label that stands for all of them"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() <= 32",message="namespaceSelector.matchExpressions has at most 32 entries: choose a label that stands for all of them"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="the operator of an expression is In, NotIn, Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, !(e.operator in ['In', 'NotIn']) || (has(e.values) && e.values.size() > 0))",message="In and NotIn need values: list them, or use Exists or DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, !(e.operator in ['Exists', 'DoesNotExist']) || !has(e.values) || e.values.size() == 0)",message="Exists and DoesNotExist take no values: leave values out, or use In or NotIn"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.size() > 32 || self.matchExpressions.all(e, !has(e.values) || e.values.size() <= 250)",message="an expression has at most 250 values: choose a label that stands for all of them"
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// excludedNamespaces are never served; this wins over both.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	ExcludedNamespaces []NamespaceName `json:"excludedNamespaces,omitempty"`

	// secretName is the name of the pull Secret in each namespace. The operator's role must allow it. Defaults to "regcred".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="secretName is the name of a Secret: lower case letters, digits, '-' and '.'"
	SecretName string `json:"secretName,omitempty"`

	// attach says how pods come to name the pull Secret: ServiceAccounts (it is written into the imagePullSecrets of ServiceAccounts), Pods
	// (the admission policy regcred-injection adds it to each pod that is created in the namespaces) or None (pods name it themselves).
	// Defaults to ServiceAccounts.
	// +optional
	// +kubebuilder:validation:Enum=ServiceAccounts;Pods;None
	Attach AttachMode `json:"attach,omitempty"`

	// serviceAccounts get the pull Secret in their imagePullSecrets. An empty list attaches to none. Defaults to [default].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="a ServiceAccount has a name of lower case letters, digits, '-' and '.'"
	ServiceAccounts *[]string `json:"serviceAccounts,omitempty"`

	// existingSecrets says what to do where a Secret of that name exists and is not regcred's: Refuse it, or Adopt it where it
	// is hand-made. Defaults to Refuse.
	// +optional
	// +kubebuilder:validation:Enum=Refuse;Adopt
	ExistingSecrets ExistingSecrets `json:"existingSecrets,omitempty"`

	// entryPer says under which key an entry is published: Registry (the registry as the spec lists it) or Host (the host of it). A kubelet
	// finds both. Flux, Helm and Kaniko look for the host alone; with Host, kubelets show the credential for every image of the host.
	// Defaults to Registry.
	// +optional
	// +kubebuilder:validation:Enum=Registry;Host
	EntryPer EntryPer `json:"entryPer,omitempty"`

	// secretLabels are put on the pull Secrets, for tools that find Secrets by label. Domains by which Kubernetes, regcred and tools know
	// what they manage are not taken. Where several RegistryCredentials share a Secret, the older one decides.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	SecretLabels map[string]LabelValue `json:"secretLabels,omitempty"`

	// secretAnnotations are put on the pull Secrets, under the same rules.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	SecretAnnotations map[string]AnnotationValue `json:"secretAnnotations,omitempty"`
}

// AttachMode says how pods come to name the pull Secret.
type AttachMode string

const (
	// AttachServiceAccounts writes it into the imagePullSecrets of ServiceAccounts, from which pods without a list of their own copy it.
	AttachServiceAccounts AttachMode = "ServiceAccounts"
	// AttachPods has an admission policy add it to each pod that is created.
	AttachPods AttachMode = "Pods"
	// AttachNone leaves it to the pods.
	AttachNone AttachMode = "None"
)

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="the value of a label has letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=1024
type AnnotationValue string

// EntryPer says under which key an entry is published.
type EntryPer string

const (
	// EntryPerRegistry publishes an entry under each registry as the spec lists it.
	EntryPerRegistry EntryPer = "Registry"
	// EntryPerHost publishes one entry under the host of the registries.
	EntryPerHost EntryPer = "Host"
)

// NamespaceName is the name of a namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a namespace has a name of lower case letters, digits and '-'"
type NamespaceName string
