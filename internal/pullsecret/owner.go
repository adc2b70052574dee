package pullsecret

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
)

// Owner says whose a Secret is.
type Owner struct {
	// Ours is true for a Secret that carries regcred's label.
	Ours bool
	// Manager names who manages a foreign Secret, in words: "Helm release shop/web".
	// Manager is cleaned and cut: others wrote it.
	Manager string
	// Fix says what a person can do about it.
	Fix string
	// Adoptable is true for a foreign Secret that is hand-made: of the right type, with no owner and no tool's mark.
	Adoptable bool
}

// OwnerOf tells whose a Secret is. Where there is none, it has no owner.
func OwnerOf(secret *corev1.Secret) Owner {
	if secret == nil {
		return Owner{}
	}
	if claimed(secret) {
		if owner, copied := copierOf(secret); copied {
			return owner
		}
		return labelled(secret)
	}
	for _, tool := range tools {
		if name, marked := tool.mark(secret); marked {
			return Owner{Manager: foreign.Name(strings.TrimSpace(tool.name + " " + name)), Fix: tool.fix}
		}
	}
	return handMade(secret)
}

// claimed reports whether a Secret carries regcred's label, or what earlier versions wrote in its place: they recorded the sources
// without a version. With a version the label was there, and somebody took it away.
func claimed(secret *corev1.Secret) bool {
	text, recorded := secret.Annotations[v1alpha1.SourcesAnnotation]
	return secret.Labels[v1alpha1.ManagedLabel] == v1alpha1.ManagedValue ||
		recorded && secret.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue && !strings.HasPrefix(text, `{"version":`)
}

// labelled tells regcred's pull Secrets from others with the same label: the records in the operator's own namespace, and
// whatever somebody labelled so.
func labelled(secret *corev1.Secret) Owner {
	if _, recorded := secret.Annotations[v1alpha1.SourcesAnnotation]; recorded || secret.Type == corev1.SecretTypeDockerConfigJson {
		return Owner{Ours: true}
	}
	return Owner{Manager: "somebody who gave it regcred's label", Fix: fmt.Sprintf(
		"it is of type %s: delete it, or choose another spec.target.secretName", foreign.Name(string(secret.Type)))}
}

// isCrowded reports, without reading it, whether a Secret holds more than MaxEntries, which have less than eight members each.
func isCrowded(secret *corev1.Secret) bool {
	return secret != nil && dockerconfig.Members(secret.Data[corev1.DockerConfigJsonKey]) > 8*MaxEntries
}

// crowded is a Secret that holds more entries than regcred handles.
func crowded(secret *corev1.Secret) Owner {
	owner := OwnerOf(secret)
	owner.Adoptable = false
	owner.Fix = fmt.Sprintf("it holds more than %d entries: take out what nobody needs", MaxEntries)
	return owner
}

// stuck is a Secret of ours that can neither be updated nor recreated without a loss.
func stuck(secret *corev1.Secret) Owner {
	why := "it was made immutable"
	if secret.Type != corev1.SecretTypeDockerConfigJson {
		why = fmt.Sprintf("it was made with type %s", foreign.Name(string(secret.Type)))
	}
	return Owner{Ours: true, Fix: why + ", and holds what is nowhere else: save what you need of it and delete it; regcred recreates it"}
}

// untilProven is the owner of a Secret that is taken over later.
func (o Owner) untilProven(credential string) Owner {
	name := foreign.Name(credential)
	o.Fix = "it is taken over once the registry accepts the value of RegistryCredential " + name +
		": see its condition Verified. Where the registry can never say, set spec.verification.mode: Disabled there"
	return o
}

func handMade(secret *corev1.Secret) Owner {
	by := "a person"
	if names := Managers(secret.ManagedFields); len(names) > 0 {
		by = foreign.Name("a person (" + strings.Join(names, ", ") + ")")
	}
	o := Owner{Manager: by}
	switch {
	case secret.Type != corev1.SecretTypeDockerConfigJson:
		o.Fix = fmt.Sprintf("it is of type %s: delete it, or choose another spec.target.secretName", foreign.Name(string(secret.Type)))
	case secret.Immutable != nil && *secret.Immutable:
		o.Fix = "it is immutable: delete it, or choose another spec.target.secretName"
	default:
		o.Adoptable = true
		o.Fix = "delete it, or set spec.target.existingSecrets: Adopt to take it over"
	}
	return o
}
