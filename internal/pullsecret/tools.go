package pullsecret

import (
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
// certain comes last. Before each row is where its marks are written down.
var tools = []tool{
	// https://github.com/fluxcd/kustomize-controller, https://github.com/fluxcd/helm-controller
	{"Flux", "remove it from what Flux applies, or choose another spec.target.secretName", anyOf(
		label("kustomize.toolkit.fluxcd.io/name"), label("helm.toolkit.fluxcd.io/name"),
		manager("kustomize-controller"), manager("helm-controller"))},
	// https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
	{"Argo CD application", "remove it from the application's source, or exclude it there", anyOf(
		annotationPrefix("argocd.argoproj.io/tracking-id"), label("argocd.argoproj.io/instance"),
		manager("argocd-controller"), manager("argocd-application-controller"))},
	// https://github.com/helm/helm, pkg/action/validate.go
	{"Helm release", "remove the Secret from the chart's values, then delete it", anyOf(
		annotation("meta.helm.sh/release-name"), labelValue(v1alpha1.ManagedByLabel, "Helm"), manager("helm"))},
	// https://github.com/external-secrets/external-secrets, apis/externalsecrets/v1/externalsecret_types.go
	{"External Secrets", "delete the ExternalSecret that writes it", anyOf(
		owner("ExternalSecret"), label("reconcile.external-secrets.io/managed"), label("reconcile.external-secrets.io/created-by"),
		annotation("reconcile.external-secrets.io/data-hash"), manager("external-secrets"))},
	// https://github.com/hashicorp/vault-secrets-operator, helpers/secrets.go
	{"Vault Secrets Operator", "delete the object that writes it", anyOf(
		owner("VaultStaticSecret"), owner("VaultDynamicSecret"), labelValue(v1alpha1.ManagedByLabel, "hashicorp-vso"),
		nameless(label("secrets.hashicorp.com/vso-ownerRefUID")))},
	// https://kyverno.io/docs/policy-types/cluster-policy/generate/
	{"Kyverno policy", "exclude the namespace in the policy that generates it", anyOf(
		label("generate.kyverno.io/policy-name"), labelValue(v1alpha1.ManagedByLabel, "kyverno"), manager("kyverno"))},
	// https://github.com/bitnami-labs/sealed-secrets, README: managing existing Secrets
	{"Sealed Secrets", "delete the SealedSecret that writes it", anyOf(owner("SealedSecret"), nameless(annotation("sealedsecrets.bitnami.com/managed")))},
	// https://github.com/emberstack/kubernetes-reflector, README
	{"Reflector", "remove the reflection annotations from its source", anyOf(
		annotation("reflector.v1.k8s.emberstack.com/reflects"), nameless(annotation("reflector.v1.k8s.emberstack.com/auto-reflects")))},
	// https://github.com/mittwald/kubernetes-replicator, replicate/common/consts.go
	{"kubernetes-replicator", "remove the replication annotations from its source", anyOf(
		annotation("replicator.v1.mittwald.de/replicated-from-version"), annotation("replicator.v1.mittwald.de/replicate-from"),
		annotation("replicator.v1.mittwald.de/replicated-by"))},
	// https://github.com/titansoft-pte-ltd/imagepullsecret-patcher, secret.go
	{"imagepullsecret-patcher", "exclude the namespace there, then delete the Secret", anyOf(annotationValue(v1alpha1.ManagedByLabel, "imagepullsecret-patcher"))},
	// https://github.com/alexellis/registry-creds: the copies are owned by the ClusterPullSecret. Those of https://github.com/upmc-enterprises/registry-creds
	// have no mark but the field manager.
	{"registry-creds", "exclude the namespace there, or stop it, then delete the Secret", anyOf(owner("ClusterPullSecret"), manager("registry-creds"))},
	// https://github.com/rancher/rancher, pkg/controllers/managementuser/secret/project_scoped_secrets.go; before 2.12 by the label
	// of its older API
	{"Rancher project-scoped Secret", "delete it in Rancher, or choose another spec.target.secretName", anyOf(
		label("management.cattle.io/project-scoped-secret-copy"), annotation("management.cattle.io/project-scoped-secret-copy"),
		label("management.cattle.io/project-scoped-secret"), labelValue("cattle.io/creator", "norman"), manager("rancher"))},
	// https://github.com/rancher/wrangler, pkg/apply: also what k3s and RKE2 apply from their folder of manifests
	{"Rancher Fleet", "remove it from the bundle's source", anyOf(annotation("objectset.rio.cattle.io/id"), nameless(label("objectset.rio.cattle.io/hash")))},
	// https://cloud.google.com/kubernetes-engine/config-sync/docs
	{"Config Sync", "remove it from the source of truth", anyOf(annotation("configmanagement.gke.io/managed"))},
	// https://github.com/kubernetes-sigs/cli-utils, pkg/inventory: kpt, the GitLab agent and what else is made of it
	{"an inventory of kpt or of GitLab's agent", "remove it from the package that is applied", anyOf(annotation("config.k8s.io/owning-inventory"))},
	// https://github.com/kubernetes/kubernetes/tree/master/cluster/addons/addon-manager
	{"the addon manager", "remove it from the folder of addons", anyOf(nameless(label("addonmanager.kubernetes.io/mode")))},
	// https://carvel.dev/kapp/docs/latest/apply/
	{"kapp", "remove it from the application's source", anyOf(label("kapp.k14s.io/app"))},
	// https://github.com/carvel-dev/secretgen-controller, docs/secret-template-field.md and docs/secret-export.md; Tanzu uses it
	{"secretgen-controller", "remove the SecretExport or the placeholder", anyOf(
		annotation("secretgen.carvel.dev/image-pull-secret"), nameless(annotation("secretgen.carvel.dev/status")), owner("SecretImport"), owner("SecretTemplate"))},
	// https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/#alternative-kubectl-apply-f-directory-prune
	{"kubectl ApplySet", "remove it from the manifests that are applied with --prune", either("applyset.kubernetes.io/part-of")},
	// https://github.com/hashicorp/terraform-provider-kubernetes, kubernetes/provider.go
	{"Terraform", "remove it from the Terraform configuration and state", anyOf(
		manager("Terraform"), manager("terraform"), manager("HashiCorp"), managerPrefix("terraform-provider-"))},
	// https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/
	{"Pulumi", "remove it from the Pulumi program", anyOf(managerPrefix("pulumi"))},
	// https://github.com/crossplane-contrib/provider-kubernetes, internal/controller/object/syncer.go
	{"Crossplane", "delete the Object that writes it", anyOf(manager("crossplane-kubernetes-provider"), managerPrefix("provider-kubernetes"), label("crossplane.io/composite"))},
	// https://github.com/zakkg3/ClusterSecret, src/consts.py
	{"ClusterSecret", "delete the ClusterSecret that writes it, or exclude the namespace there", anyOf(
		either("clustersecret.io"), annotation("clustersecret.io/created-by"), annotation("clustersecret.io/version"),
		labelValue(v1alpha1.ManagedByLabel, "ClusterSecrets"))},
	// https://github.com/kubeops/config-syncer, apis/kubed/v1alpha1
	{"Config Syncer", "remove the sync annotation from its source", anyOf(
		annotation("kubed.appscode.com/origin"), label("kubed.appscode.com/origin.name"))},
	// https://github.com/kubernetes-retired/hierarchical-namespaces, docs/user-guide/concepts.md
	{"Hierarchical Namespaces", "change the Secret of the parent namespace", anyOf(label("hnc.x-k8s.io/inherited-from"))},
	// https://projectcapsule.dev/docs/tenants/metadata/: what it replicates. The labels that name the tenant are on everything there.
	{"Capsule", "take it out of the TenantResource or GlobalTenantResource", anyOf(
		nameless(label("projectcapsule.dev/created-by")), nameless(label("capsule.clastix.io/resources")), labelValue("projectcapsule.dev/managed-by", "controller"))},
	// https://www.vcluster.com/docs/vcluster/configure/vcluster-yaml/sync/
	{"vcluster", "delete the Secret within the virtual cluster", anyOf(label("vcluster.loft.sh/managed-by"), annotation("vcluster.loft.sh/object-name"))},
	// https://kubevela.io/docs/: labels of https://github.com/kubevela/kubevela, pkg/oam/labels.go
	{"KubeVela application", "remove it from the application", anyOf(label("app.oam.dev/name"))},
	// https://github.com/gardener/gardener, pkg/apis/resources/v1alpha1
	{"Gardener", "change the ManagedResource that writes it", anyOf(nameless(label("resources.gardener.cloud/managed-by")), annotation("resources.gardener.cloud/origin"))},
	// https://github.com/openshift/openshift-controller-manager, pkg/internalregistry/controllers
	{"OpenShift's internal registry", "choose another spec.target.secretName: it is the pull Secret of a ServiceAccount", anyOf(
		annotation("openshift.io/internal-registry-auth-token.service-account"), annotation("openshift.io/token-secret.name"))},
	// https://github.com/DopplerHQ/kubernetes-operator, controllers/dopplersecret_controller_secrets.go
	{"Doppler", "delete the DopplerSecret that writes it", anyOf(nameless(annotation("secrets.doppler.com/version")), either("dopplerSecretName"))},
	// https://github.com/Infisical/kubernetes-operator: SECRET_VERSION_ANNOTATION
	{"Infisical", "delete the InfisicalSecret that writes it", anyOf(owner("InfisicalSecret"), nameless(annotation("secrets.infisical.com/version")))},
	// https://github.com/1Password/onepassword-operator, pkg/kubernetessecrets
	{"1Password", "delete the OnePasswordItem that writes it", anyOf(
		owner("OnePasswordItem"), annotation("operator.1password.io/item-path"), nameless(annotation("operator.1password.io/item-version")))},
	// https://github.com/bitwarden/sm-kubernetes, internal/controller/bitwardensecret_controller.go
	{"Bitwarden", "delete the BitwardenSecret that writes it", anyOf(owner("BitwardenSecret"), nameless(label("k8s.bitwarden.com/bw-secret")))},
	// What follows names no tool for certain.
	{"", "ask its manager to stop managing it", either(v1alpha1.ManagedByLabel)},
	{"", "its owner recreates it: change the owner", anyOwner},
	{"Argo CD application or Helm release", "remove it there, or take app.kubernetes.io/instance from it where it is hand-made", either("app.kubernetes.io/instance")},
	{"the tool with", keptOutside, foreignMark},
	{"the tool with field manager", keptOutside, foreignManager},
}
