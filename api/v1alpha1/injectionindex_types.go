package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// InjectionIndex is what the admission policy regcred-injection reads for each pod that is created: which Secrets the pods of which
// namespaces name. The operator keeps it, from all RegistryCredentials with spec.target.attach: Pods. Nobody else writes it: an admission
// policy refuses that. There is one, named regcred, so that a pod costs the API server one look, however many RegistryCredentials there are.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,path=injectionindexes,singular=injectionindex
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'regcred'",message="there is one InjectionIndex, which the operator keeps: its name is regcred"
type InjectionIndex struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec InjectionIndexSpec `json:"spec,omitempty"`
}

// InjectionIndexSpec lists Secrets, sorted by name.
type InjectionIndexSpec struct {
	// Secrets that pods name. The operator bounds the whole index at 256 KiB; the numbers here are larger than what that holds.
	// +kubebuilder:validation:MaxItems=262144
	// +listType=atomic
	// +optional
	Secrets []InjectedSecret `json:"secrets,omitempty"`
}

// InjectedSecret says which pods name a Secret: those of a namespace that is named here, or that one of the selectors selects.
type InjectedSecret struct {
	// Name of the Secret.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespaces that RegistryCredentials name, sorted. Protected ones are among them where they are named.
	// +kubebuilder:validation:MaxItems=262144
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=atomic
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// Selectors of namespaces by label, one for each RegistryCredential that has one. They select no protected namespace.
	// +kubebuilder:validation:MaxItems=262144
	// +listType=atomic
	// +optional
	Selectors []InjectionSelector `json:"selectors,omitempty"`
}

// InjectionSelector selects namespaces that have all labels and meet all expressions.
type InjectionSelector struct {
	// Labels that a namespace has.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=atomic
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Expressions that a namespace's labels meet.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Expressions []metav1.LabelSelectorRequirement `json:"expressions,omitempty"`
	// Excluded namespaces are not selected.
	// +kubebuilder:validation:MaxItems=262144
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=atomic
	// +optional
	Excluded []string `json:"excluded,omitempty"`
}

// InjectionIndexList is a list of InjectionIndexes.
//
// +kubebuilder:object:root=true
type InjectionIndexList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []InjectionIndex `json:"items"`
}
