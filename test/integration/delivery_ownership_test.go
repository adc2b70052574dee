package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

const (
	ownRegistry = "own.example"
	// theirConfig holds the registry that will be delivered, with another password, and one that nobody delivers.
	theirConfig = `{"auths":{"own.example":{"username":"robot","password":"old","auth":"cm9ib3Q6b2xk"},"theirs.example":{"username":"u","password":"theirs","auth":"dTp0aGVpcnM="}}}`
)

// occupied is one way in which a Secret can be there before regcred comes.
type occupied struct {
	name string
	make func(t *testing.T, rig *deliveryRig, namespace string)
	// manager is what the status says of whoever holds it.
	manager string
	// adoptable says that existingSecrets: Adopt takes it over.
	adoptable bool
}

func occupiedSecrets() []occupied {
	return []occupied{
		{"kubectl create", byKubectl("create"), "kubectl-create", true},
		{"kubectl apply", byKubectl("apply"), "kubectl-client-side-apply", true},
		{"kubectl apply --server-side", byKubectl("apply", "--server-side"), "a person (kubectl)", true},
		{"created and edited by a person", byClient(), "kubectl-edit", true},
		{"an apply manager that is no person's client", byApply("platform-sync"), "platform-sync", false},
		{"our own field manager without our label", byApply("regcred"), "a person", true},
		{"managedFields stripped", stripped, "a person", true},
		{"the very value that would be delivered", byClient(sameValue), "kubectl-edit", true},
		{"rule 5: a content that breaks pulls", byClient(func(s *corev1.Secret) {
			s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{"own.example":{"auth":"%"}}}`)
		}), "kubectl-edit", true},
		{"Opaque", byClient(opaqueSecret), "kubectl-edit", false},
		{"kubernetes.io/dockercfg", byClient(func(s *corev1.Secret) {
			s.Type, s.Data = corev1.SecretTypeDockercfg, map[string][]byte{corev1.DockerConfigKey: []byte(`{}`)}
		}), "kubectl-edit", false},
		{"Opaque with our label", byClient(opaqueSecret, func(s *corev1.Secret) { s.Labels = map[string]string{v1alpha1.ManagedLabel: "true"} }), "somebody who gave it regcred's label", false},
		{"immutable", byClient(func(s *corev1.Secret) { s.Immutable = ptr.To(true) }), "kubectl-edit", false},
		{"Helm", byClient(annotated("meta.helm.sh/release-name", "web"), annotated("meta.helm.sh/release-namespace", "shop"), labelled("app.kubernetes.io/managed-by", "Helm")), "Helm release shop/web", false},
		{"Argo CD by label", byClient(labelled("argocd.argoproj.io/instance", "shop")), "Argo CD application shop", false},
		{"Argo CD by the common label", byClient(labelled("app.kubernetes.io/instance", "shop")), "Argo CD application or Helm release shop", false},
		{"Argo CD by annotation", byClient(annotated("argocd.argoproj.io/tracking-id", "shop:/Secret:x/regcred")), "Argo CD application shop", false},
		{"Argo CD by field manager alone", byApply("argocd-controller"), "Argo CD application", false},
		{"Flux", byClient(labelled("kustomize.toolkit.fluxcd.io/name", "apps")), "Flux apps", false},
		{"External Secrets", byClient(owned("external-secrets.io/v1", "ExternalSecret", "pull")), "External Secrets ExternalSecret pull", false},
		{"Kyverno", byClient(labelled("generate.kyverno.io/policy-name", "sync-pull")), "Kyverno policy sync-pull", false},
		{"an owner", byClient(owned("acme.io/v1", "Tenant", "shop")), "Tenant shop", false},
		{"Vault Secrets Operator", byClient(owned("secrets.hashicorp.com/v1beta1", "VaultStaticSecret", "pull")), "Vault Secrets Operator VaultStaticSecret pull", false},
		{"Sealed Secrets", byClient(owned("bitnami.com/v1alpha1", "SealedSecret", "pull")), "Sealed Secrets SealedSecret pull", false},
		{"Reflector", byClient(annotated("reflector.v1.k8s.emberstack.com/reflects", "infra/pull")), "Reflector infra/pull", false},
		{"Terraform", byApply("Terraform"), "Terraform", false},
	}
}

// ownedCase is one case under way.
type ownedCase struct {
	occupied
	existing   v1alpha1.ExistingSecrets
	team       string
	credential string
	before     *corev1.Secret
}

func (c ownedCase) adopts() bool { return c.adoptable && c.existing == v1alpha1.ExistingAdopt }

// ownership makes all cases twice, for a RegistryCredential that refuses and for one that adopts, and then takes the obstacles
// away. Nothing is restarted or edited in between.
func ownership(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	rig.start(t, runOptions{shelf: values})
	var cases []ownedCase
	for i, c := range occupiedSecrets() {
		for _, existing := range []v1alpha1.ExistingSecrets{v1alpha1.ExistingRefuse, v1alpha1.ExistingAdopt} {
			name := strings.ToLower(fmt.Sprintf("own-%d-%s", i, existing))
			cases = append(cases, occupy(t, rig, values, c, existing, name))
		}
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s", c.name, c.existing), func(t *testing.T) { c.judged(t, rig) })
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s/healed", c.name, c.existing), func(t *testing.T) { c.healed(t, rig) })
	}
	t.Run("Adopt takes a Secret over that was refused", func(t *testing.T) { adoptedLater(t, rig, values) })
	t.Run("an entry that no kubelet can use is told of until somebody takes it out", func(t *testing.T) { unusableForms(t, rig, values) })
	t.Run("a Secret that somebody's finalizer holds is recreated when it is gone", func(t *testing.T) { heldByFinalizer(t, rig, values) })
	t.Run("rule 10: our Secret, made immutable, is recreated at the next rotation", func(t *testing.T) { madeImmutable(t, rig, values) })
	t.Run("what others add to our Secret stays", func(t *testing.T) { foreignAdditions(t, rig, values) })
	t.Run("a Secret without our label is somebody else's from then on", func(t *testing.T) { labelTakenAway(t, rig, values) })
}

func occupy(t *testing.T, rig *deliveryRig, values *shelf, o occupied, existing v1alpha1.ExistingSecrets, name string) ownedCase {
	t.Helper()
	c := ownedCase{occupied: o, existing: existing, team: rig.team(t, nil), credential: name}
	c.make(t, rig, c.team)
	var err error
	if c.before, err = rig.secret(t.Context(), c.team, "regcred"); err != nil {
		t.Fatal(err)
	}
	values.put(name, "new")
	rig.credential(t, name, ownRegistry, func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(c.team)(spec)
		spec.Target.ExistingSecrets = existing
	})
	return c
}

// judged sees that the Secret is left alone and its manager named, or that it is taken over in place with what it held for other
// registries.
func (c ownedCase) judged(t *testing.T, rig *deliveryRig) {
	if !c.adopts() {
		eventually(t, "the status names the manager", func(ctx context.Context) error {
			return rig.failure(ctx, c.credential, c.team, v1alpha1.ReasonForeignSecret, c.manager)
		})
		after, err := rig.secret(t.Context(), c.team, "regcred")
		if err != nil || after.ResourceVersion != c.before.ResourceVersion {
			t.Errorf("a foreign Secret was touched: %v", err)
		}
		if err := rig.names(t.Context(), c.team, "default"); err != nil {
			t.Error(err)
		}
		return
	}
	want := map[string]string{ownRegistry: "new"}
	if strings.Contains(string(c.before.Data[corev1.DockerConfigJsonKey]), "theirs.example") {
		want["theirs.example"] = "theirs"
	}
	eventually(t, "the Secret is taken over", func(ctx context.Context) error { return rig.holds(ctx, c.team, "regcred", want) })
	after, err := rig.secret(t.Context(), c.team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	if after.UID != c.before.UID {
		t.Error("it was recreated")
	}
	if _, there := after.Annotations[corev1.LastAppliedConfigAnnotation]; there {
		t.Error("the annotation of kubectl, with the old password, is still there")
	}
}

// healed takes the Secret away, unless it was taken over, and sees that all is well then.
func (c ownedCase) healed(t *testing.T, rig *deliveryRig) {
	if !c.adopts() {
		if err := rig.admin.Delete(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the namespace is served once the obstacle is gone", func(ctx context.Context) error {
			return rig.served(ctx, c.team, ownRegistry, "new")
		})
	}
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, c.credential) })
}

func adoptedLater(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	byKubectl("create")(t, rig, team)
	values.put("own-later", "new")
	rig.credential(t, "own-later", ownRegistry, inNamespaces(team))
	eventually(t, "it is refused", func(ctx context.Context) error {
		return rig.failure(ctx, "own-later", team, v1alpha1.ReasonForeignSecret, "existingSecrets: Adopt")
	})
	rig.edit(t, "own-later", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt })
	eventually(t, "it is taken over", func(ctx context.Context) error {
		return rig.holds(ctx, team, "regcred", map[string]string{ownRegistry: "new", "theirs.example": "theirs"})
	})
}

func heldByFinalizer(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("own-held", "new")
	rig.credential(t, "own-held", ownRegistry, inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "new") })
	secret, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	patch := func(body string) {
		if err := rig.admin.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(body))); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"metadata":{"finalizers":["shop.example/keep"]}}`)
	if err := rig.admin.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the status names the finalizer", func(ctx context.Context) error {
		return rig.failure(ctx, "own-held", team, v1alpha1.ReasonWriteRefused, "shop.example/keep")
	})
	patch(`{"metadata":{"finalizers":null}}`)
	eventually(t, "it is recreated", func(ctx context.Context) error {
		after, err := rig.secret(ctx, team, "regcred")
		if err == nil && after.UID == secret.UID {
			err = fmt.Errorf("the old one is still there")
		}
		return err
	})
	eventually(t, "the status is well again", func(ctx context.Context) error { return rig.ready(ctx, "own-held") })
}

func madeImmutable(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("own-frozen", "one")
	rig.credential(t, "own-frozen", ownRegistry, inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "one") })
	secret, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	if err := rig.admin.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(`{"immutable":true}`))); err != nil {
		t.Fatal(err)
	}
	rig.rotate(t, values, "own-frozen", "two")
	eventually(t, "the new value is there", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "two") })
	after, err := rig.secret(t.Context(), team, "regcred")
	if err != nil || after.Immutable != nil || after.UID == secret.UID {
		t.Errorf("it should be recreated, and mutable: %v, %v", after.Immutable, err)
	}
}

func foreignAdditions(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("own-shared", "one")
	rig.credential(t, "own-shared", ownRegistry, inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "one") })
	secret, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	uid := secret.UID
	addition := `{"metadata":{"labels":{"team":"shop"},"annotations":{"note":"call us"}},"data":{"ca.crt":"dGhlaXJz"}}`
	if err := rig.admin.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(addition))); err != nil {
		t.Fatal(err)
	}
	rig.rotate(t, values, "own-shared", "two")
	eventually(t, "the new value is there", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "two") })
	after, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	if after.Labels["team"] != "shop" || after.Annotations["note"] != "call us" || string(after.Data["ca.crt"]) != "theirs" || after.UID != uid {
		t.Errorf("something of others is gone: labels %v, annotations %v", after.Labels, after.Annotations)
	}
}

func labelTakenAway(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("own-let-go", "one")
	rig.credential(t, "own-let-go", ownRegistry, inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "one") })
	secret, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"regcred.dev/managed":null}}}`))

	if err := rig.admin.Patch(t.Context(), secret, patch); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is refused", func(ctx context.Context) error {
		return rig.failure(ctx, "own-let-go", team, v1alpha1.ReasonForeignSecret, "")
	})
	after, err := rig.secret(t.Context(), team, "regcred")
	if err != nil || after.ResourceVersion != secret.ResourceVersion {
		t.Errorf("it was touched: %v", err)
	}
}

// How Secrets get there.

func byKubectl(verb ...string) func(*testing.T, *deliveryRig, string) {
	return func(t *testing.T, rig *deliveryRig, namespace string) {
		arguments := append(slices.Clone(verb), "-f", writeManifest(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: regcred, namespace: %s}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: '%s'}`, namespace, theirConfig)))
		rig.kubectl(t, arguments...)
	}
}

func theirSecret(namespace string, changes ...func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "regcred"},
		Type:       corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(theirConfig)},
	}
	for _, change := range changes {
		change(secret)
	}
	return secret
}

func byClient(changes ...func(*corev1.Secret)) func(*testing.T, *deliveryRig, string) {
	return func(t *testing.T, rig *deliveryRig, namespace string) {
		if err := rig.admin.Create(t.Context(), theirSecret(namespace, changes...), client.FieldOwner("kubectl-edit")); err != nil {
			t.Fatal(err)
		}
	}
}

func byApply(manager string) func(*testing.T, *deliveryRig, string) {
	return func(t *testing.T, rig *deliveryRig, namespace string) {
		configuration := applycorev1.Secret("regcred", namespace).WithType(corev1.SecretTypeDockerConfigJson).
			WithData(map[string][]byte{corev1.DockerConfigJsonKey: []byte(theirConfig)})
		if err := rig.admin.Apply(t.Context(), configuration, client.FieldOwner(manager)); err != nil {
			t.Fatal(err)
		}
	}
}

func stripped(t *testing.T, rig *deliveryRig, namespace string) {
	secret := theirSecret(namespace)
	rig.create(t, secret)
	if err := rig.admin.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`))); err != nil {
		t.Fatal(err)
	}
	if len(secret.ManagedFields) != 0 {
		t.Fatalf("the managed fields are still there: %v", secret.ManagedFields)
	}
}

func sameValue(s *corev1.Secret) {
	login, err := dockerconfig.NewCredential("robot", "new")
	if err != nil {
		panic(err)
	}
	s.Data[corev1.DockerConfigJsonKey] = dockerconfig.Config{ownRegistry: login}.Render()
}

func labelled(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { metav1.SetMetaDataLabel(&s.ObjectMeta, key, value) }
}

func annotated(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, key, value) }
}

func owned(apiVersion, kind, name string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: "1"}}
	}
}
