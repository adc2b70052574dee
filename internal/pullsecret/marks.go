package pullsecret

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func anyOf(marks ...func(*corev1.Secret) (string, bool)) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		for _, mark := range marks {
			if name, marked := mark(secret); marked {
				return name, true
			}
		}
		return "", false
	}
}

// nameless is a mark whose value names nobody.
func nameless(mark func(*corev1.Secret) (string, bool)) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		_, marked := mark(secret)
		return "", marked
	}
}

func label(key string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		value, ok := secret.Labels[key]
		return value, ok
	}
}

// either is a label or an annotation of this key: the policy regcred-secrets refuses both. Whoever changes these rows changes the list
// in the policy, too; TestAdmissionPolicies compares them.
func either(key string) func(*corev1.Secret) (string, bool) {
	return anyOf(label(key), annotation(key))
}

func labelValue(key, want string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		return secret.Labels["app.kubernetes.io/instance"], strings.EqualFold(secret.Labels[key], want)
	}
}

func annotation(key string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		value, ok := secret.Annotations[key]
		if namespace := secret.Annotations["meta.helm.sh/release-namespace"]; ok && key == "meta.helm.sh/release-name" && namespace != "" {
			value = namespace + "/" + value
		}
		return value, ok
	}
}

// annotationPrefix keeps what stands before the first colon: an Argo CD tracking ID is application:group/kind:namespace/name.
func annotationPrefix(key string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		value, ok := secret.Annotations[key]
		name, _, _ := strings.Cut(value, ":")
		return name, ok
	}
}

func owner(kind string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		for _, ref := range secret.OwnerReferences {
			if ref.Kind == kind {
				return kind + " " + ref.Name, true
			}
		}
		return "", false
	}
}

func anyOwner(secret *corev1.Secret) (string, bool) {
	if len(secret.OwnerReferences) == 0 {
		return "", false
	}
	ref := secret.OwnerReferences[0]
	return ref.Kind + " " + ref.Name, true
}

func annotationValue(key, want string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) { return "", secret.Annotations[key] == want }
}

func manager(name string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		return "", slices.Contains(Managers(secret.ManagedFields), name)
	}
}

func managerPrefix(prefix string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		return "", slices.ContainsFunc(Managers(secret.ManagedFields), func(name string) bool { return strings.HasPrefix(name, prefix) })
	}
}
