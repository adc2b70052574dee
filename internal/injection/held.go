package injection

import (
	"crypto/sha256"
	"encoding/json"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
)

// HeldBy are the RegistryCredentials of which an index holds all that they add, by UID: what an earlier process wrote goes on serving when
// another one starts. Each is held since the index was created, as far as the index tells. When it last changed would say nothing of them:
// that may have been for another one.
func HeldBy(index *v1alpha1.InjectionIndex, credentials []v1alpha1.RegistryCredential) map[types.UID]Entry {
	held := map[types.UID]Entry{}
	if index.ResourceVersion == "" { // there is none
		return held
	}
	in := holdingOf(index)
	for _, credential := range byAge(credentials) {
		adds := injected(credential)
		if in.all(adds) {
			held[credential.UID] = Entry{Name: credential.Name, Generation: credential.Generation, Selects: sha256.Sum256(textOf(adds)), Since: index.CreationTimestamp.UTC()}
		}
	}
	return held
}

// holding is what an index holds: Secrets with their namespaces and their selectors, as JSON.
type holding map[[3]string]bool

func holdingOf(index *v1alpha1.InjectionIndex) holding {
	h := holding{}
	for i := range index.Spec.Secrets {
		for _, part := range partsOf(&index.Spec.Secrets[i]) {
			h[part] = true
		}
	}
	return h
}

func (h holding) all(secret *v1alpha1.InjectedSecret) bool {
	for _, part := range partsOf(secret) {
		if !h[part] {
			return false
		}
	}
	return true
}

// partsOf are the Secret's name with each namespace, and with each selector.
func partsOf(secret *v1alpha1.InjectedSecret) [][3]string {
	var parts [][3]string
	for _, namespace := range secret.Namespaces {
		parts = append(parts, [3]string{secret.Name, "namespace", namespace})
	}
	for _, selector := range secret.Selectors {
		text, err := json.Marshal(selector)
		if err != nil {
			text = nil // cannot be: strings, lists and maps of them
		}
		parts = append(parts, [3]string{secret.Name, "selector", string(text)})
	}
	return parts
}
