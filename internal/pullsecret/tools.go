package pullsecret

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// tool recognises the Secrets of one tool by the marks that it leaves.
type tool struct {
	name string
	fix  string
	mark func(*corev1.Secret) (name string, marked bool)
}

// tools in the order in which they are asked: a tool that wraps another comes first, Flux before Helm, and what is less than
// certain comes last.
var tools = []tool{
	{"Flux", "remove it from what Flux applies, or choose another spec.target.secretName", anyOf(
		label("kustomize.toolkit.fluxcd.io/name"), label("helm.toolkit.fluxcd.io/name"),
		manager("kustomize-controller"), manager("helm-controller"))},
	{"Argo CD application", "remove it from the application's source, or exclude it there", anyOf(
		annotationPrefix("argocd.argoproj.io/tracking-id"), label("argocd.argoproj.io/instance"),
		manager("argocd-controller"), manager("argocd-application-controller"))},
	{"Helm release", "remove the Secret from the chart's values, then delete it", anyOf(
		annotation("meta.helm.sh/release-name"), labelValue(v1alpha1.ManagedByLabel, "Helm"), manager("helm"))},
	{"External Secrets", "delete the ExternalSecret that writes it", anyOf(
		owner("ExternalSecret"), label("reconcile.external-secrets.io/managed"), label("reconcile.external-secrets.io/created-by"),
		annotation("reconcile.external-secrets.io/data-hash"), manager("external-secrets"))},
	{"Vault Secrets Operator", "delete the object that writes it", anyOf(
		owner("VaultStaticSecret"), owner("VaultDynamicSecret"), labelValue(v1alpha1.ManagedByLabel, "hashicorp-vso"))},
	{"Kyverno policy", "exclude the namespace in the policy that generates it", anyOf(
		label("generate.kyverno.io/policy-name"), labelValue(v1alpha1.ManagedByLabel, "kyverno"), manager("kyverno"))},
	{"Sealed Secrets", "delete the SealedSecret that writes it", anyOf(owner("SealedSecret"))},
	{"Reflector", "remove the reflection annotations from its source", anyOf(
		annotation("reflector.v1.k8s.emberstack.com/reflects"), annotation("reflector.v1.k8s.emberstack.com/auto-reflects"))},
	{"kubernetes-replicator", "remove the replication annotations from its source", anyOf(
		annotation("replicator.v1.mittwald.de/replicated-from-version"), annotation("replicator.v1.mittwald.de/replicate-from"))},
	{"imagepullsecret-patcher", "exclude the namespace there, then delete the Secret", anyOf(annotationValue(v1alpha1.ManagedByLabel, "imagepullsecret-patcher"))},
	{"Rancher Fleet", "remove it from the bundle's source", anyOf(annotation("objectset.rio.cattle.io/id"))},
	{"Config Sync", "remove it from the source of truth", anyOf(annotation("configmanagement.gke.io/managed"))},
	{"kapp", "remove it from the application's source", anyOf(label("kapp.k14s.io/app"))},
	{"kubectl ApplySet", "remove it from the manifests that are applied with --prune", either("applyset.kubernetes.io/part-of")},
	{"Terraform", "remove it from the Terraform configuration and state", anyOf(manager("Terraform"), manager("terraform"), manager("HashiCorp"))},
	{"Pulumi", "remove it from the Pulumi program", anyOf(managerPrefix("pulumi"))},
	// Sources of the rows below: rancher, pkg/controllers/managementuser/secret/project_scoped_secrets.go; ClusterSecret, src/consts.py;
	// kubed (config-syncer), apis/kubed/v1alpha1; hierarchical-namespaces, documentation of propagated objects.
	{"Rancher project-scoped Secret", "delete it in Rancher, or choose another spec.target.secretName", anyOf(
		label("management.cattle.io/project-scoped-secret-copy"), annotation("management.cattle.io/project-scoped-secret-copy"), manager("rancher"))},
	{"ClusterSecret", "delete the ClusterSecret that writes it, or exclude the namespace there", anyOf(
		either("clustersecret.io"), annotation("clustersecret.io/created-by"), annotation("clustersecret.io/version"))},
	{"Config Syncer", "remove the sync annotation from its source", anyOf(
		annotation("kubed.appscode.com/origin"), label("kubed.appscode.com/origin.name"))},
	{"Hierarchical Namespaces", "change the Secret of the parent namespace", anyOf(label("hnc.x-k8s.io/inherited-from"))},
	{"", "ask its manager to let go of it", either(v1alpha1.ManagedByLabel)},
	{"", "its owner recreates it: change the owner", anyOwner},
	{"Argo CD application or Helm release", "remove it there, or take app.kubernetes.io/instance from it where it is hand-made", either("app.kubernetes.io/instance")},
	{"the tool with", keptOutside, foreignMark},
	{"the tool with field manager", keptOutside, foreignManager},
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
