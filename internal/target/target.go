// Package target says which namespaces a RegistryCredential selects. It is pure.
package target

import (
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Selector says which namespaces one RegistryCredential selects. Build it with New; the zero value selects none.
type Selector struct {
	named    []v1alpha1.NamespaceName
	excluded []v1alpha1.NamespaceName
	labels   labels.Selector
	// protected namespaces are selected by name only.
	protected []string
}

// New returns the selector of a target. Protected namespaces, and the operator's own, are selected only where the target names
// them outright. It fails where the label selector does not parse. The error quotes keys and values, which no schema bounds, cut to
// what a status can hold.
func New(t *v1alpha1.Target, protected []string) (Selector, error) {
	s := Selector{named: t.Namespaces, excluded: t.ExcludedNamespaces, protected: protected}
	selector, err := metav1.LabelSelectorAsSelector(t.NamespaceSelector)
	if err != nil {
		return Selector{}, errors.New("spec.target.namespaceSelector: " + foreign.Message(err.Error()))
	}
	if s.labels = selector; selector.Empty() {
		s.labels = labels.Nothing() // the API server refuses it; were it to get through, nothing is safer than everything
	}
	return s, nil
}

// Selects reports whether the namespace of this name and these labels is selected.
func (s Selector) Selects(name string, namespaceLabels map[string]string) bool {
	namespace := v1alpha1.NamespaceName(name)
	if slices.Contains(s.excluded, namespace) {
		return false
	}
	if slices.Contains(s.named, namespace) {
		return true
	}
	return s.labels != nil && !slices.Contains(s.protected, name) && s.labels.Matches(labels.Set(namespaceLabels))
}
