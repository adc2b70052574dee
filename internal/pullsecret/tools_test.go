package pullsecret

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// copies are Secrets as tools leave them, by the row of the table that recognises them.
var copies = []struct {
	tool string
	mark func(*corev1.Secret)
}{
	{"Flux", withLabel("kustomize.toolkit.fluxcd.io/name", "shop")},
	{"Argo CD application", withAnnotation("argocd.argoproj.io/tracking-id", "shop:/Secret:shop/regcred")},
	{"Helm release", withAnnotation("meta.helm.sh/release-name", "web")},
	{"External Secrets", withLabel("reconcile.external-secrets.io/created-by", "x")},
	{"Vault Secrets Operator", withLabel("secrets.hashicorp.com/vso-ownerRefUID", "u")},
	{"Kyverno policy", withLabel("generate.kyverno.io/policy-name", "sync")},
	{"Sealed Secrets", withAnnotation("sealedsecrets.bitnami.com/managed", "true")},
	{"Reflector", withAnnotation("reflector.v1.k8s.emberstack.com/auto-reflects", "True")},
	{"kubernetes-replicator", withAnnotation("replicator.v1.mittwald.de/replicated-by", "infra/pull")},
	{"imagepullsecret-patcher", withAnnotation(v1alpha1.ManagedByLabel, "imagepullsecret-patcher")},
	{"registry-creds", withOwner("ops.alexellis.io/v1", "ClusterPullSecret", "hub")},
	{"registry-creds", withManager("registry-creds", metav1.ManagedFieldsOperationUpdate)},
	{"Rancher project-scoped Secret", withAnnotation("management.cattle.io/project-scoped-secret-copy", "p-1")},
	{"Rancher project-scoped Secret", withLabel("cattle.io/creator", "norman")},
	{"Rancher Fleet", withLabel("objectset.rio.cattle.io/hash", "x")},
	{"Config Sync", withAnnotation("configmanagement.gke.io/managed", "enabled")},
	{"an inventory of kpt or of GitLab's agent", withAnnotation("config.k8s.io/owning-inventory", "x")},
	{"the addon manager", withLabel("addonmanager.kubernetes.io/mode", "Reconcile")},
	{"kapp", withLabel("kapp.k14s.io/app", "17")},
	{"secretgen-controller", withAnnotation("secretgen.carvel.dev/image-pull-secret", "")},
	{"kubectl ApplySet", withLabel("applyset.kubernetes.io/part-of", "x")},
	{"Terraform", withManager("terraform-provider-kubernetes_v2.30.0_x5", metav1.ManagedFieldsOperationUpdate)},
	{"Pulumi", withManager("pulumi-kubernetes-1a2b", metav1.ManagedFieldsOperationApply)},
	{"Crossplane", withManager("crossplane-kubernetes-provider", metav1.ManagedFieldsOperationUpdate)},
	{"Crossplane", withManager("provider-kubernetes/pull", metav1.ManagedFieldsOperationApply)},
	{"ClusterSecret", withLabel(v1alpha1.ManagedByLabel, "ClusterSecrets")},
	{"Config Syncer", withLabel("kubed.appscode.com/origin.name", "pull")},
	{"Hierarchical Namespaces", withLabel("hnc.x-k8s.io/inherited-from", "parent")},
	{"Capsule", withLabel("projectcapsule.dev/created-by", "resources")},
	{"Capsule", withLabel("projectcapsule.dev/managed-by", "controller")},
	{"vcluster", withLabel("vcluster.loft.sh/managed-by", "vc")},
	{"KubeVela application", withLabel("app.oam.dev/name", "website")},
	{"Gardener", withLabel("resources.gardener.cloud/managed-by", "gardener")},
	{"OpenShift's internal registry", withAnnotation("openshift.io/internal-registry-auth-token.service-account", "default")},
	{"Doppler", withAnnotation("secrets.doppler.com/version", "x")},
	{"Doppler", withLabel("dopplerSecretName", "x")},
	{"Infisical", withAnnotation("secrets.infisical.com/version", "7")},
	{"1Password", withAnnotation("operator.1password.io/item-path", "vaults/a/items/b")},
	{"Bitwarden", withLabel("k8s.bitwarden.com/bw-secret", "u")},
	{"", withLabel(v1alpha1.ManagedByLabel, "acme-sync")},
	{"", withOwner("acme.io/v1", "Tenant", "shop")},
	{"Argo CD application or Helm release", withLabel("app.kubernetes.io/instance", "shop")},
	{"the tool with", withLabel("velero.io/restore-name", "x")},
	{"the tool with", withAnnotation("kopf.zalando.org/last-handled-configuration", "{}")},
	{"the tool with", withLabel("unknown.kubernetes.io/x", "y")},
	{"the tool with field manager", withManager("OpenAPI-Generator", metav1.ManagedFieldsOperationUpdate)},
}

func TestEveryRowOfTheTableRecognisesACopy(t *testing.T) {
	recognised := map[string]bool{}
	for _, c := range copies {
		secret := marked(c.mark, withManager("kubectl-create", metav1.ManagedFieldsOperationUpdate))
		found := ""
		for _, tool := range tools {
			if _, is := tool.mark(secret); is {
				found = tool.name
				break
			}
		}
		if found != c.tool || OwnerOf(secret).Adoptable {
			t.Errorf("a copy of %q is taken for one of %q, adoptable: %t", c.tool, found, OwnerOf(secret).Adoptable)
		}
		recognised[found] = true
	}
	for _, tool := range tools {
		if !recognised[tool.name] {
			t.Errorf("no copy of %s", tool.name)
		}
	}
}

func TestAMarkThatSaysNothingOfAWriterIsNoTools(t *testing.T) {
	for _, mark := range []func(*corev1.Secret){
		withLabel("capsule.clastix.io/tenant", "oil"), withLabel("projectcapsule.dev/tenant", "oil"), withLabel("capsule.clastix.io/managed-by", "oil"),
		withAnnotation(corev1.LastAppliedConfigAnnotation, "{}"), withLabel("app.kubernetes.io/part-of", "shop"),
		withLabel("velero.io/exclude-from-backup", "true"), withAnnotation("reloader.stakater.com/match", "true"),
		withAnnotation("field.cattle.io/description", "for the registry"),
	} {
		if secret := marked(mark, withManager("kubectl-create", metav1.ManagedFieldsOperationUpdate)); !OwnerOf(secret).Adoptable {
			t.Errorf("%v %v: %+v", secret.Labels, secret.Annotations, OwnerOf(secret))
		}
	}
}
