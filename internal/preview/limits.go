package preview

import (
	"slices"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/target"
)

// Limits are what the operator was given, as its admission policies say.
type Limits struct {
	// SecretNames and ServiceAccountNames are the names that it may write. Empty where that is not known; Any allows all.
	SecretNames, ServiceAccountNames []string
	// Protected namespaces are never written to. Own is the operator's, into which it writes no pull Secret.
	Protected []string
	Own       string
}

// Any is the name that stands for all.
const Any = "*"

// Selecting are the namespaces that only a name selects.
func (l Limits) Selecting() []string { return append(slices.Clone(l.Protected), l.Own) }

// NotGiven are the names that an object wants and that the operator may not write: then it is Stalled and nothing is delivered.
func (l Limits) NotGiven(object *v1alpha1.RegistryCredential) []string {
	var missing []string
	if name := object.Spec.Target.Name(); lacks(l.SecretNames, name) {
		missing = append(missing, target.NotGiven("Secret", name, l.SecretNames, "secretNames"))
	}
	for _, name := range object.Spec.Target.Accounts() {
		if lacks(l.ServiceAccountNames, name) {
			missing = append(missing, target.NotGiven("ServiceAccount", name, l.ServiceAccountNames, "serviceAccountNames"))
		}
	}
	return missing
}

// lacks reports whether a list of the limits is known and has neither a name nor all.
func lacks(given []string, name string) bool {
	return len(given) > 0 && !slices.Contains(given, Any) && !slices.Contains(given, name)
}

// RefusesSecret says why the operator does not take over the Secret of a name in a namespace, or nothing.
func (l Limits) RefusesSecret(namespace, name string) string {
	switch {
	case namespace == l.Own:
		return "regcred writes no pull Secret into its own namespace"
	case slices.Contains(l.Protected, namespace):
		return "the namespace is protected: take it out of protectedNamespaces in the chart's values or limits.yaml"
	case lacks(l.SecretNames, name):
		return target.NotGiven("Secret", name, l.SecretNames, "secretNames")
	}
	return ""
}

// refuses says why nothing is written into a namespace that an object names, or nothing.
func (l Limits) refuses(namespace string) string {
	switch {
	case namespace == l.Own:
		return "regcred writes no pull Secret into its own namespace: take it out of spec.target.namespaces"
	case slices.Contains(l.Protected, namespace):
		return "the namespace is protected: take it out of spec.target.namespaces, or out of protectedNamespaces in the chart's values or limits.yaml"
	}
	return ""
}
