package pullsecret

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// Owner says whose a Secret is.
type Owner struct {
	// Ours is true for a Secret that carries regcred's label.
	Ours bool
	// Manager names who manages a foreign Secret, in words: "Helm release shop/web".
	Manager string
	// Fix says what a person can do about it.
	Fix string
	// Adoptable is true for a foreign Secret that is hand-made: of the right type, with no owner and no tool's mark.
	Adoptable bool
}

// OwnerOf tells whose a Secret is. It is nobody's where there is none.
func OwnerOf(secret *corev1.Secret) Owner {
	if secret == nil {
		return Owner{}
	}
	if secret.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue {
		return Owner{Ours: true}
	}
	for _, tool := range tools {
		if name, marked := tool.mark(secret); marked {
			return Owner{Manager: strings.TrimSpace(tool.name + " " + name), Fix: tool.fix}
		}
	}
	return handMade(secret)
}

// tool recognises the Secrets of one tool by the marks that it leaves.
type tool struct {
	name string
	fix  string
	mark func(*corev1.Secret) (name string, marked bool)
}

// tools in the order in which they are asked: a tool that wraps another comes first, Flux before Helm.
var tools = []tool{
	{"Flux", "remove it from the Git repository, with prune disabled for it, then annotate or delete the Secret", anyOf(
		label("kustomize.toolkit.fluxcd.io/name"), label("helm.toolkit.fluxcd.io/name"),
		manager("kustomize-controller"), manager("helm-controller"))},
	{"Argo CD application", "remove it from the application's source, or exclude it there", anyOf(
		annotationPrefix("argocd.argoproj.io/tracking-id"), label("argocd.argoproj.io/instance"),
		manager("argocd-controller"), manager("argocd-application-controller"))},
	{"Helm release", "remove the Secret from the chart's values, then delete it", anyOf(
		annotation("meta.helm.sh/release-name"), labelValue(v1alpha1.ManagedByLabel, "Helm"), manager("helm"))},
	{"External Secrets", "delete the ExternalSecret that writes it", anyOf(
		label("reconcile.external-secrets.io/managed"), label("reconcile.external-secrets.io/created-by"),
		annotation("reconcile.external-secrets.io/data-hash"), owner("ExternalSecret"), manager("external-secrets"))},
	{"Vault Secrets Operator", "delete the object that writes it", anyOf(
		labelValue(v1alpha1.ManagedByLabel, "hashicorp-vso"), owner("VaultStaticSecret"), owner("VaultDynamicSecret"))},
	{"Kyverno policy", "exclude the namespace in the policy that generates it", anyOf(
		label("generate.kyverno.io/policy-name"), labelValue(v1alpha1.ManagedByLabel, "kyverno"), manager("kyverno"))},
	{"Sealed Secrets", "delete the SealedSecret that writes it", anyOf(owner("SealedSecret"))},
	{"Reflector", "remove the reflection annotations from its source", anyOf(
		annotation("reflector.v1.k8s.emberstack.com/reflects"), annotation("reflector.v1.k8s.emberstack.com/auto-reflects"))},
	{"kubernetes-replicator", "remove the replication annotations from its source", anyOf(
		annotation("replicator.v1.mittwald.de/replicated-from-version"), annotation("replicator.v1.mittwald.de/replicate-from"))},
	{"Terraform", "remove it from the Terraform configuration and state", anyOf(manager("Terraform"), manager("terraform"))},
	{"Pulumi", "remove it from the Pulumi program", anyOf(manager("pulumi"))},
	{"", "ask its manager to let go of it", anyOf(label(v1alpha1.ManagedByLabel))},
	{"", "its owner recreates it: change the owner", anyOwner},
}

func handMade(secret *corev1.Secret) Owner {
	by := "a person"
	if names := managers(secret); len(names) > 0 {
		by = "field manager " + strings.Join(names, ", ")
	}
	o := Owner{Manager: by}
	switch {
	case secret.Type != corev1.SecretTypeDockerConfigJson:
		o.Fix = fmt.Sprintf("it is of type %s: delete it, or choose another spec.target.secretName", secret.Type)
	case secret.Immutable != nil && *secret.Immutable:
		o.Fix = "it is immutable: delete it, or choose another spec.target.secretName"
	default:
		o.Adoptable = true
		o.Fix = "delete it, or set spec.target.existingSecrets: Adopt to take it over"
	}
	return o
}

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

func label(key string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		value, ok := secret.Labels[key]
		return value, ok
	}
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

func manager(name string) func(*corev1.Secret) (string, bool) {
	return func(secret *corev1.Secret) (string, bool) {
		return "", slices.Contains(managers(secret), name)
	}
}

func managers(secret *corev1.Secret) []string {
	return Managers(secret.ManagedFields)
}

// Managers are the names of the field managers other than regcred, the latest first.
func Managers(fields []metav1.ManagedFieldsEntry) []string {
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, func(a, b metav1.ManagedFieldsEntry) int {
		switch {
		case a.Time == nil || b.Time == nil:
			return 0
		default:
			return b.Time.Compare(a.Time.Time)
		}
	})
	var names []string
	for _, entry := range sorted {
		if entry.Manager != "" && entry.Manager != v1alpha1.FieldManager && !slices.Contains(names, entry.Manager) {
			names = append(names, entry.Manager)
		}
	}
	return names
}
