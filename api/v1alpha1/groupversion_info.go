// Package v1alpha1 is version v1alpha1 of the API group regcred.dev: RegistryCredential and VaultConnection.
//
// Defaults are not written into objects, so that a GitOps tool never sees a field that nobody wrote. Where the description of a field says
// "Defaults to X", a field that is left out means X.
//
// +kubebuilder:object:generate=true
// +groupName=regcred.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the kinds in this package.
var GroupVersion = schema.GroupVersion{Group: "regcred.dev", Version: "v1alpha1"}

// SchemeBuilder collects the functions that add this package's kinds to a scheme.
var SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme adds this package's kinds to a scheme.
var AddToScheme = SchemeBuilder.AddToScheme

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&RegistryCredential{}, &RegistryCredentialList{},
		&VaultConnection{}, &VaultConnectionList{},
		&InjectionIndex{}, &InjectionIndexList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
