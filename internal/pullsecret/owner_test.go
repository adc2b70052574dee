package pullsecret

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

func marked(changes ...func(*corev1.Secret)) *corev1.Secret {
	s := byHand(`{"auths":{}}`)
	s.Labels, s.Annotations = map[string]string{}, map[string]string{}
	for _, change := range changes {
		change(s)
	}
	return s
}

func withLabel(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Labels[key] = value }
}

func withAnnotation(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Annotations[key] = value }
}

func withOwner(apiVersion, kind, name string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.OwnerReferences = append(s.OwnerReferences, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: "1"})
	}
}

func withManager(name string, operation metav1.ManagedFieldsOperationType) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.ManagedFields = append(s.ManagedFields, metav1.ManagedFieldsEntry{Manager: name, Operation: operation, Time: ptr.To(metav1.NewTime(noon))})
	}
}

func TestOwnerOf(t *testing.T) {
	update, apply := metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply
	ours := withLabel(v1alpha1.ManagedLabel, v1alpha1.ManagedValue)
	earlier := withLabel(v1alpha1.ManagedByLabel, v1alpha1.ManagedByValue)
	recorded := withAnnotation(v1alpha1.SourcesAnnotation, `{"version":1,"sources":{}}`)
	tests := []struct {
		name   string
		secret *corev1.Secret
		ours   bool
		// manager is a part of what the message says; adoptable says whether Adopt takes it over.
		manager   string
		adoptable bool
	}{
		{name: "no Secret is nobody's", secret: nil},
		{name: "with our label it is ours", secret: marked(ours), ours: true},
		{name: "with our label and the record it is ours whatever its type", secret: marked(ours, withAnnotation(v1alpha1.SourcesAnnotation, "{}"), opaque), ours: true},
		{name: "with our label, though a tool wrote it too, it is ours: a rival is contested, not obeyed", secret: marked(ours, withAnnotation("argocd.argoproj.io/tracking-id", "shop:/Secret:shop/regcred"), withManager("argocd-controller", apply)), ours: true},
		{name: "a Secret of an earlier version is ours by its label and record", secret: marked(earlier, withAnnotation(v1alpha1.SourcesAnnotation, "{}")), ours: true},
		{name: "with our label it is ours though Helm or kustomize wrote the common label over", secret: marked(ours, withLabel(v1alpha1.ManagedByLabel, "Helm")), ours: true},
		{name: "a copy by Kyverno, with our label and record, is Kyverno's", secret: marked(ours, recorded, withLabel("generate.kyverno.io/policy-name", "sync-pull")), manager: "Kyverno policy sync-pull"},
		{name: "a copy by Reflector", secret: marked(ours, recorded, withAnnotation("reflector.v1.k8s.emberstack.com/reflects", "infra/regcred")), manager: "Reflector infra/regcred"},
		{name: "a copy by kubernetes-replicator, which keeps labels alone", secret: marked(ours, withAnnotation("replicator.v1.mittwald.de/replicated-from-version", "7")), manager: "kubernetes-replicator"},
		{name: "a copy by Config Syncer", secret: marked(ours, recorded, withAnnotation("kubed.appscode.com/origin", "{}")), manager: "Config Syncer"},
		{name: "a copy by Config Syncer, by its label", secret: marked(ours, recorded, withLabel("kubed.appscode.com/origin.name", "regcred")), manager: "Config Syncer regcred"},
		{name: "what a parent namespace hands down", secret: marked(ours, recorded, withLabel("hnc.x-k8s.io/inherited-from", "parent")), manager: "Hierarchical Namespaces parent"},
		{name: "a copy by Rancher", secret: marked(ours, recorded, withLabel("management.cattle.io/project-scoped-secret-copy", "p:s")), manager: "Rancher project-scoped Secret p:s"},
		{name: "a copy by Rancher, by annotation", secret: marked(ours, recorded, withAnnotation("management.cattle.io/project-scoped-secret-copy", "p:s")), manager: "Rancher project-scoped Secret p:s"},
		{name: "a copy by Capsule", secret: marked(ours, recorded, withLabel("projectcapsule.dev/created-by", "resources")), manager: "Capsule"},
		{name: "a copy by Capsule, as earlier versions marked it", secret: marked(ours, recorded, withLabel("capsule.clastix.io/resources", "x")), manager: "Capsule"},
		{name: "a copy of a Secret of an earlier version", secret: marked(earlier, withAnnotation(v1alpha1.SourcesAnnotation, "{}"), withLabel("hnc.x-k8s.io/inherited-from", "parent")), manager: "Hierarchical Namespaces parent"},
		{name: "the original that Kyverno copies is ours", secret: marked(ours, recorded, withLabel("generate.kyverno.io/clone-source", "")), ours: true},
		{name: "the original that a replicator copies is ours", secret: marked(ours, recorded, withAnnotation("replicator.v1.mittwald.de/replicate-to", "shop")), ours: true},
		{name: "the original that Reflector copies is ours", secret: marked(ours, recorded, withAnnotation("reflector.v1.k8s.emberstack.com/reflection-allowed", "true")), ours: true},
		{name: "the original that Config Syncer copies is ours", secret: marked(ours, recorded, withAnnotation("kubed.appscode.com/sync", "")), ours: true},
		{name: "the common label alone does not make it ours", secret: marked(earlier), manager: "regcred"},
		{name: "whoever takes our label away has a hand-made Secret", secret: marked(withAnnotation(v1alpha1.SourcesAnnotation, "{}")), manager: "a person", adoptable: true},
		{name: "a Secret of another type with our label and no record is not ours", secret: marked(ours, opaque), manager: "somebody who gave it regcred's label"},
		{name: "a published record of the operator is no pull Secret", secret: marked(ours, func(s *corev1.Secret) { s.Type = "regcred.dev/published-credential" }), manager: "somebody"},

		{name: "kubectl create", secret: marked(withManager("kubectl-create", update)), manager: "a person (kubectl-create)", adoptable: true},
		{name: "kubectl apply", secret: marked(withManager("kubectl-client-side-apply", update), withAnnotation(corev1.LastAppliedConfigAnnotation, "{}")), manager: "a person (kubectl-client-side-apply)", adoptable: true},
		{name: "kubectl apply --server-side", secret: marked(withManager("kubectl", apply)), manager: "a person (kubectl)", adoptable: true},
		{name: "a program that is no person's client", secret: marked(withManager("backend.test", update)), manager: "field manager backend.test"},
		{name: "another apply manager", secret: marked(withManager("platform-sync", apply)), manager: "field manager platform-sync"},
		{name: "k9s", secret: marked(withManager("k9s", update)), manager: "a person (k9s)", adoptable: true},
		{name: "a dashboard in a browser", secret: marked(withManager("Mozilla", update)), manager: "a person (Mozilla)", adoptable: true},
		{name: "a name that only begins like a client's", secret: marked(withManager("octopus", update)), manager: "field manager octopus"},
		{name: "a label without a domain", secret: marked(withLabel("team", "shop")), manager: "a person", adoptable: true},
		{name: "recommended labels", secret: marked(withLabel("app.kubernetes.io/name", "shop")), manager: "a person", adoptable: true},
		{name: "a label of an unknown domain", secret: marked(withLabel("sync.example.com/from", "x")), manager: "the tool with label sync.example.com/from"},
		{name: "an annotation of an unknown domain", secret: marked(withAnnotation("sync.example.com/from", "x")), manager: "the tool with annotation sync.example.com/from"},
		{name: "a domain that only ends like a harmless one", secret: marked(withAnnotation("notkubernetes.io/from", "x")), manager: "the tool with annotation notkubernetes.io/from"},
		{name: "Rancher's project-scoped Secret", secret: marked(withAnnotation("management.cattle.io/project-scoped-secret-copy", "p:s")), manager: "Rancher project-scoped Secret"},
		{name: "Config Syncer", secret: marked(withAnnotation("kubed.appscode.com/origin", "{}")), manager: "Config Syncer"},
		{name: "Hierarchical Namespaces", secret: marked(withLabel("hnc.x-k8s.io/inherited-from", "parent")), manager: "Hierarchical Namespaces parent"},
		{name: "ClusterSecret", secret: marked(withAnnotation("clustersecret.io/created-by", "x")), manager: "ClusterSecret"},
		{name: "managedFields stripped", secret: marked(), manager: "a person", adoptable: true},
		{name: "our own field manager without our label", secret: marked(withManager("regcred", apply)), manager: "a person", adoptable: true},
		{name: "Opaque", secret: marked(opaque), manager: "a person"},
		{name: "kubernetes.io/dockercfg", secret: marked(func(s *corev1.Secret) { s.Type = corev1.SecretTypeDockercfg }), manager: "a person"},
		{name: "immutable", secret: marked(immutableSecret), manager: "a person"},

		{name: "Helm by annotation", secret: marked(withAnnotation("meta.helm.sh/release-name", "web"), withAnnotation("meta.helm.sh/release-namespace", "shop")), manager: "Helm release shop/web"},
		{name: "Helm by annotation, of a release in another namespace", secret: marked(withAnnotation("meta.helm.sh/release-name", "web"), withAnnotation("meta.helm.sh/release-namespace", "infra")), manager: "Helm release infra/web"},
		{name: "Helm by annotation, without the namespace of the release", secret: marked(withAnnotation("meta.helm.sh/release-name", "web")), manager: "Helm release web"},
		{name: "Helm by label, with the release as the instance", secret: marked(withLabel(v1alpha1.ManagedByLabel, "Helm"), withLabel("app.kubernetes.io/instance", "web")), manager: "Helm release web"},
		{name: "what another tool says is not put behind the namespace of a release", secret: marked(withAnnotation("reflector.v1.k8s.emberstack.com/reflects", "infra/pull"), withAnnotation("meta.helm.sh/release-namespace", "shop")), manager: "Reflector infra/pull"},
		{name: "an earlier version's label with a record of this one: somebody took our label away", secret: marked(earlier, withAnnotation(v1alpha1.SourcesAnnotation, `{"version":1,"sources":{}}`)), manager: "regcred"},
		{name: "an owner's name with a line break is cleaned", secret: marked(withOwner("acme.io/v1", "Tenant", "a\nb")), manager: "Tenant a b"},
		{name: "a client's name with a line break is cleaned", secret: marked(withManager("kubectl-a\nb", update)), manager: "a person (kubectl-a b)", adoptable: true},
		{name: "a field manager without a name is nobody", secret: marked(withManager("", update)), manager: "a person", adoptable: true},
		{name: "Helm by label", secret: marked(withLabel(v1alpha1.ManagedByLabel, "Helm")), manager: "Helm release"},
		{name: "Helm by field manager", secret: marked(withManager("helm", update)), manager: "Helm release"},
		{name: "Argo CD by annotation", secret: marked(withAnnotation("argocd.argoproj.io/tracking-id", "shop:/Secret:shop/regcred")), manager: "Argo CD application shop"},
		{name: "Argo CD by its own label", secret: marked(withLabel("argocd.argoproj.io/instance", "shop")), manager: "Argo CD application shop"},
		{name: "Argo CD by the common label", secret: marked(withLabel("app.kubernetes.io/instance", "shop")), manager: "Argo CD application or Helm release shop"},
		{name: "Argo CD by field manager", secret: marked(withManager("argocd-controller", apply)), manager: "Argo CD application"},
		{name: "Flux Kustomization", secret: marked(withLabel("kustomize.toolkit.fluxcd.io/name", "shop")), manager: "Flux shop"},
		{name: "Flux HelmRelease, which leaves Helm's marks too", secret: marked(withLabel("helm.toolkit.fluxcd.io/name", "web"), withAnnotation("meta.helm.sh/release-name", "web")), manager: "Flux web"},
		{name: "Flux by field manager", secret: marked(withManager("kustomize-controller", apply)), manager: "Flux"},
		{name: "External Secrets by owner", secret: marked(withOwner("external-secrets.io/v1", "ExternalSecret", "pull")), manager: "External Secrets ExternalSecret pull"},
		{name: "External Secrets by label", secret: marked(withLabel("reconcile.external-secrets.io/managed", "true")), manager: "External Secrets"},
		{name: "External Secrets by annotation", secret: marked(withAnnotation("reconcile.external-secrets.io/data-hash", "x")), manager: "External Secrets"},
		{name: "Vault Secrets Operator", secret: marked(withOwner("secrets.hashicorp.com/v1beta1", "VaultStaticSecret", "pull")), manager: "Vault Secrets Operator VaultStaticSecret pull"},
		{name: "Vault Secrets Operator by label", secret: marked(withLabel(v1alpha1.ManagedByLabel, "hashicorp-vso")), manager: "Vault Secrets Operator"},
		{name: "Kyverno by label", secret: marked(withLabel("generate.kyverno.io/policy-name", "sync-pull")), manager: "Kyverno policy sync-pull"},
		{name: "Kyverno as manager", secret: marked(withLabel(v1alpha1.ManagedByLabel, "kyverno")), manager: "Kyverno policy"},
		{name: "Sealed Secrets", secret: marked(withOwner("bitnami.com/v1alpha1", "SealedSecret", "pull")), manager: "Sealed Secrets SealedSecret pull"},
		{name: "Reflector", secret: marked(withAnnotation("reflector.v1.k8s.emberstack.com/reflects", "infra/pull")), manager: "Reflector infra/pull"},
		{name: "kubernetes-replicator", secret: marked(withAnnotation("replicator.v1.mittwald.de/replicated-from-version", "7")), manager: "kubernetes-replicator"},
		{name: "imagepullsecret-patcher", secret: marked(withAnnotation(v1alpha1.ManagedByLabel, "imagepullsecret-patcher")), manager: "imagepullsecret-patcher"},
		{name: "Rancher Fleet", secret: marked(withAnnotation("objectset.rio.cattle.io/id", "bundle")), manager: "Rancher Fleet bundle"},
		{name: "Config Sync", secret: marked(withAnnotation("configmanagement.gke.io/managed", "enabled")), manager: "Config Sync"},
		{name: "kapp", secret: marked(withLabel("kapp.k14s.io/app", "17")), manager: "kapp"},
		{name: "kubectl ApplySet", secret: marked(withLabel("applyset.kubernetes.io/part-of", "applyset-x")), manager: "kubectl ApplySet"},
		{name: "Terraform", secret: marked(withManager("Terraform", apply)), manager: "Terraform"},
		{name: "Terraform, as its older resources call themselves", secret: marked(withManager("HashiCorp", update)), manager: "Terraform"},
		{name: "Pulumi", secret: marked(withManager("pulumi-kubernetes-1a2b", apply)), manager: "Pulumi"},
		{name: "a tool that nobody knows, by the common label", secret: marked(withLabel(v1alpha1.ManagedByLabel, "acme-sync")), manager: "acme-sync"},
		{name: "a tool that nobody knows, by the common key as an annotation", secret: marked(withAnnotation(v1alpha1.ManagedByLabel, "acme-sync")), manager: "acme-sync"},
		{name: "an instance as an annotation", secret: marked(withAnnotation("app.kubernetes.io/instance", "shop")), manager: "Argo CD application or Helm release shop"},
		{name: "kubectl ApplySet as an annotation", secret: marked(withAnnotation("applyset.kubernetes.io/part-of", "applyset-x")), manager: "kubectl ApplySet"},
		{name: "an owner that nobody knows", secret: marked(withOwner("acme.io/v1", "Tenant", "shop")), manager: "Tenant shop"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := OwnerOf(test.secret)
			if got.Ours != test.ours || got.Adoptable != test.adoptable {
				t.Errorf("ours %t and adoptable %t, want %t and %t", got.Ours, got.Adoptable, test.ours, test.adoptable)
			}
			if test.manager == "" && got.Manager != "" || !strings.Contains(got.Manager, test.manager) {
				t.Errorf("the manager is %q, want %q", got.Manager, test.manager)
			}
			if foreign := test.secret != nil && !test.ours; foreign && got.Fix == "" {
				t.Error("a foreign Secret comes with what a person can do")
			}
			for _, adopt := range []bool{false, true} {
				checkForeign(t, test.secret, test.ours, test.adoptable, adopt)
			}
		})
	}
}

// checkForeign decides about the Secret and sees that it is written only where that is right.
func checkForeign(t *testing.T, current *corev1.Secret, ours, adoptable, adopt bool) {
	t.Helper()
	if current == nil || ours {
		return
	}
	c := contribution("shop", 1, "1", config(t, "a", "shop.example"))
	c.Adopt = adopt
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{c}, Exists: everybody, Current: current, Now: noon})
	want := Refuse
	if adoptable && adopt {
		want = Update
	}
	if plan.Action != want {
		t.Errorf("with Adopt %t the action is %s, it should be %s", adopt, plan.Action, want)
	}
}

func opaque(s *corev1.Secret)          { s.Type = corev1.SecretTypeOpaque }
func immutableSecret(s *corev1.Secret) { s.Immutable = ptr.To(true) }

// Whoever may write a Secret chooses its type, which the API server takes as it is.
func TestTheTypeOfASecretIsCleanedBeforeItIsShown(t *testing.T) {
	ours := withLabel(v1alpha1.ManagedLabel, v1alpha1.ManagedValue)
	odd := func(s *corev1.Secret) { s.Type = "evil\x1b[31m\nbut: fine" }
	for name, fix := range map[string]string{
		"made by hand":        OwnerOf(marked(odd)).Fix,
		"labelled as ours":    OwnerOf(marked(odd, ours)).Fix,
		"ours, but immovable": stuck(marked(odd, ours)).Fix,
	} {
		if strings.ContainsAny(fix, "\x1b\n") || !strings.Contains(fix, "evil") {
			t.Errorf("%s: %q", name, fix)
		}
	}
}

func TestOfThousandsOfFieldManagersTheLastAreLookedAt(t *testing.T) {
	crowd := marked(withManager("argocd-controller", metav1.ManagedFieldsOperationApply))
	for range mostManagers {
		withManager("kubectl", metav1.ManagedFieldsOperationUpdate)(crowd)
	}
	before := crowd.DeepCopy()
	if owner := OwnerOf(crowd); !owner.Adoptable || owner.Manager != "a person (kubectl)" {
		t.Errorf("%+v", owner)
	}
	crowd.ManagedFields[7].Manager, before.ManagedFields[7].Manager = "", ""
	_ = Managers(crowd.ManagedFields)
	if diff := cmp.Diff(before.ManagedFields, crowd.ManagedFields); diff != "" {
		t.Errorf("to look at them changes them:\n%s", diff)
	}
}

func TestRival(t *testing.T) {
	entry := func(manager string, at time.Duration, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Time: ptr.To(metav1.NewTime(noon.Add(at))), FieldsV1: metav1.NewFieldsV1(fields)}
	}
	list := `{"f:imagePullSecrets":{}}`
	tests := []struct {
		name   string
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		{"nobody is recorded", nil, ""},
		{"only we are", []metav1.ManagedFieldsEntry{entry("regcred", 0, list)}, ""},
		{"who holds the field", []metav1.ManagedFieldsEntry{entry("argocd-controller", 0, list), entry("kubectl-label", time.Hour, `{"f:metadata":{}}`)}, "argocd-controller"},
		{"the latest who holds the field", []metav1.ManagedFieldsEntry{entry("old", 0, list), entry("new", time.Hour, list)}, "new"},
		{"the latest, where the field was emptied", []metav1.ManagedFieldsEntry{entry("old", 0, `{}`), entry("new", time.Hour, `{}`), entry("regcred", 2*time.Hour, list)}, "new"},
		{"of one second, the one that is listed later", []metav1.ManagedFieldsEntry{entry("a", 0, list), entry("b", 0, list)}, "b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Rival(test.fields, "imagePullSecrets"); got != test.want {
				t.Errorf("the rival is %q, want %q", got, test.want)
			}
		})
	}
}
