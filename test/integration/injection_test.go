package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/attachment"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/wakeup"
)

const injectionOverlay = `
namespace: regcred-system
resources: [DEFAULT, INJECTION]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "regcred,shop,web,named,leaving,by-account,by-default,by-nobody"}
transformers: [REPLACEMENTS]`

// injectionRig is an API server with the policy of config/injection that copies pull secrets from ServiceAccounts as a real one does, which
// envtest leaves out. Of the operator no more runs than what keeps the index.
type injectionRig struct{ *installation }

func startInjectionRig(t *testing.T) *injectionRig {
	t.Helper()
	rig := &injectionRig{startAPIServer(t, "disable-admission-plugins=StorageObjectInUseProtection")}
	rig.kubectl(t, "apply", "-k", writeOverlay(t, injectionOverlay))
	rig.keepIndex(t)
	return rig
}

// keepIndex runs the controller that writes the index, with the operator's own rights, when the kinds are served.
func (rig *injectionRig) keepIndex(t *testing.T) {
	t.Helper()
	rig.awaitKinds(t)
	mgr, err := ctrl.NewManager(rig.impersonated(), ctrl.Options{
		Scheme: scheme.Scheme, Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	vaultMust(t, err)
	watches, err := client.NewWithWatch(rig.impersonated(), client.Options{Scheme: scheme.Scheme})
	vaultMust(t, err)
	keeping := &attachment.Reconciler{
		Cluster: mgr.GetClient(), Writer: newAPIClient(t, rig.impersonated()), Watches: watches, Book: injection.NewBook(func(string, bool) {}),
	}
	vaultMust(t, keeping.SetupWithManager(mgr, &wakeup.Notifier{}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		vaultMust(t, <-ended)
	})
}

func (rig *injectionRig) awaitKinds(t *testing.T) {
	t.Helper()
	rig.kubectl(t, "wait", "--for=condition=Established", "crd/registrycredentials.regcred.dev", "crd/injectionindexes.regcred.dev")
}

// namespaceWith makes a namespace with a ServiceAccount default that names a Secret of its own.
func (rig *injectionRig) namespaceWith(t *testing.T, labels, annotations map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-", Labels: labels, Annotations: annotations}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "of-account"}}}
	vaultMust(t, rig.admin.Create(t.Context(), namespace))
	account.Namespace = namespace.Name
	vaultMust(t, rig.admin.Create(t.Context(), account))
	return namespace.Name
}

// injecting makes a RegistryCredential with attach: Pods.
func (rig *injectionRig) injecting(t *testing.T, name string, change func(*v1alpha1.RegistryCredential)) {
	t.Helper()
	object := credentialObject()
	object.Name, object.Finalizers = name, nil
	object.Spec.Target = v1alpha1.Target{SecretName: name, Attach: v1alpha1.AttachPods}
	change(object)
	vaultMust(t, rig.admin.Create(t.Context(), object))
}

func (rig *injectionRig) drop(t *testing.T, name string) {
	t.Helper()
	vaultMust(t, rig.admin.Delete(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

// plainPod lists these pull secrets, and is allowed everywhere.
func plainPod(secrets ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-"}}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example/app:1"}}
	pod.Spec.AutomountServiceAccountToken = ptr.To(false)
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	for _, name := range secrets {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	return pod
}

// admitted are the pull secrets that a pod names after it passed admission. Nothing is kept of it.
func admitted(ctx context.Context, c client.Client, namespace string, pod *corev1.Pod) ([]string, error) {
	pod = pod.DeepCopy()
	pod.Namespace = namespace
	if err := client.NewDryRunClient(c).Create(ctx, pod); err != nil {
		return nil, err
	}
	return listed(pod), nil
}

func listed(pod *corev1.Pod) []string {
	names := []string{}
	for _, ref := range pod.Spec.ImagePullSecrets {
		names = append(names, ref.Name)
	}
	return names
}

// gets waits until a pod is admitted with exactly these pull secrets, in this order.
func (rig *injectionRig) gets(t *testing.T, namespace string, pod *corev1.Pod, want ...string) {
	t.Helper()
	awaitAPI(t, fmt.Sprintf("a pod in %s names %v", namespace, want), func() error {
		got, err := admitted(t.Context(), rig.admin, namespace, pod)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("it names %v", got)
		}
		return err
	})
}

func TestPodsGetTheirSecretFromThePolicy(t *testing.T) {
	t.Parallel()
	rig := startInjectionRig(t)
	team := map[string]string{"team": "shop"}
	byTeam := func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: team}
	}
	rig.injecting(t, "shop", byTeam)
	shop, quiet := rig.namespaceWith(t, team, nil), rig.namespaceWith(t, team, map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled})
	other := rig.namespaceWith(t, nil, nil)
	rig.gets(t, shop, plainPod(), "of-account", "shop") // the policy is known from here on
	annotated := func(key, value string) *corev1.Pod {
		pod := plainPod()
		pod.Annotations = map[string]string{key: value}
		return pod
	}
	nameless := plainPod("own", "")
	owned := plainPod()
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: "1", Controller: ptr.To(true)}}
	mirror := annotated(corev1.MirrorPodAnnotationKey, "file")
	mirror.Spec.NodeName = "node"
	for _, test := range []struct {
		name, namespace string
		pod             *corev1.Pod
		want            []string
	}{
		{"a pod that lists none inherits from its ServiceAccount and gets the name", shop, plainPod(), []string{"of-account", "shop"}},
		{"a pod with a list of its own gets the name at the end", shop, plainPod("b", "a"), []string{"b", "a", "shop"}},
		{"a pod that names the Secret is left as it is", shop, plainPod("shop", "a"), []string{"shop", "a"}},
		{"an entry without a name is no obstacle", shop, nameless, []string{"own", "", "shop"}},
		{"a pod of a Job", shop, owned, []string{"of-account", "shop"}},
		{"a pod that opted out", shop, annotated(v1alpha1.AttachAnnotation, v1alpha1.AttachDisabled), []string{"of-account"}},
		{"a pod with another value of the annotation", shop, annotated(v1alpha1.AttachAnnotation, "Enabled"), []string{"of-account", "shop"}},
		{"a pod in a namespace that opted out", quiet, plainPod(), []string{"of-account"}},
		{"a mirror pod, which may name no Secret", shop, mirror, []string{}},
		{"a pod elsewhere", other, plainPod("own"), []string{"own"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := admitted(t.Context(), rig.admin, test.namespace, test.pod)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("it names %v (%v), want %v", got, err, test.want)
			}
		})
	}
	t.Run("several credentials", func(t *testing.T) { severalInjections(t, rig, shop, byTeam) })
	t.Run("who selects and who does not", func(t *testing.T) { selectsOrNot(t, rig, shop, other) })
	t.Run("what is kept", func(t *testing.T) { keptPods(t, rig, shop) })
	t.Run("who writes the index", func(t *testing.T) { indexWriters(t, rig, shop) })
	t.Run("errors in the policy", func(t *testing.T) { brokenPolicies(t, rig, shop) })
}

// severalInjections: two credentials of one Secret give one name, those of two Secrets two, sorted.
func severalInjections(t *testing.T, rig *injectionRig, namespace string, selects func(*v1alpha1.RegistryCredential)) {
	rig.injecting(t, "shop-too", func(c *v1alpha1.RegistryCredential) { selects(c); c.Spec.Target.SecretName = "shop" })
	rig.injecting(t, "web", selects)
	rig.injecting(t, "regcred", func(c *v1alpha1.RegistryCredential) { selects(c); c.Spec.Target.SecretName = "" })
	awaitAPI(t, "all names are there once, after those of the pod", func() error {
		got, err := admitted(t.Context(), rig.admin, namespace, plainPod("z", "y"))
		if err == nil && !slices.Equal(got, []string{"z", "y", "regcred", "shop", "web"}) {
			err = fmt.Errorf("it names %v", got)
		}
		return err
	})
	for _, name := range []string{"shop-too", "web", "regcred"} {
		rig.drop(t, name)
	}
	rig.gets(t, namespace, plainPod("z"), "z", "shop")
}

func selectsOrNot(t *testing.T, rig *injectionRig, selected, other string) {
	named := func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.Namespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(selected)}
	}
	rig.injecting(t, "by-account", func(c *v1alpha1.RegistryCredential) { named(c); c.Spec.Target.Attach = v1alpha1.AttachServiceAccounts })
	rig.injecting(t, "by-default", func(c *v1alpha1.RegistryCredential) { named(c); c.Spec.Target.Attach = "" })
	rig.injecting(t, "by-nobody", func(c *v1alpha1.RegistryCredential) { named(c); c.Spec.Target.Attach = v1alpha1.AttachNone })
	rig.injecting(t, "leaving", func(c *v1alpha1.RegistryCredential) { named(c); c.Finalizers = []string{v1alpha1.Finalizer} })
	rig.drop(t, "leaving")
	rig.injecting(t, "beyond-the-limits", named)
	rig.injecting(t, "named", func(c *v1alpha1.RegistryCredential) { named(c); c.Spec.Suspend = true })
	rig.gets(t, selected, plainPod("own"), "own", "named", "shop")
	// A namespace that is relabelled counts for the next pod.
	relabel := func(labels string) {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: other}}
		vaultMust(t, rig.admin.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":`+labels+`}}`))))
	}
	relabel(`{"team":"shop"}`)
	rig.gets(t, other, plainPod("own"), "own", "shop")
	relabel(`{"team":null}`)
	rig.gets(t, other, plainPod("own"), "own")
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "leaving"}}
	vaultMust(t, rig.admin.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
	rig.drop(t, "named")
	rig.gets(t, selected, plainPod("own"), "own", "shop")
}

// keptPods: what a dry run shows is what a creation does, and a pod that is there is never changed.
func keptPods(t *testing.T, rig *injectionRig, namespace string) {
	pod := plainPod("own")
	pod.Namespace = namespace
	vaultMust(t, rig.admin.Create(t.Context(), pod))
	if got := listed(pod); !slices.Equal(got, []string{"own", "shop"}) {
		t.Errorf("a pod that is created names %v", got)
	}
	out := plainPod("own")
	out.Namespace, out.Annotations = namespace, map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled}
	vaultMust(t, rig.admin.Create(t.Context(), out))
	out.Annotations = nil
	vaultMust(t, rig.admin.Update(t.Context(), out))
	if got := listed(out); !slices.Equal(got, []string{"own"}) {
		t.Errorf("a pod that is updated names %v", got)
	}
}

// brokenPolicies: whatever is wrong with the policy, pods are created.
func brokenPolicies(t *testing.T, rig *injectionRig, namespace string) {
	shipped := &admissionv1.MutatingAdmissionPolicy{}
	vaultMust(t, rig.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionPolicy}, shipped))
	for _, test := range []struct{ name, patch string }{
		{"a variable that fails", `[{"op":"replace","path":"/spec/variables/4/expression","value":"params.spec.nothing.there"}]`},
		{"a condition that fails", `[{"op":"add","path":"/spec/matchConditions","value":[{"name":"broken","expression":"params.spec.nothing == 'there'"}]}]`},
		{"a patch that cannot be applied", `[{"op":"replace","path":"/spec/mutations/0/jsonPatch/expression","value":"[JSONPatch{op: 'remove', path: '/spec/nothing'}]"}]`},
		{"a kind of parameters that is not there", `[{"op":"replace","path":"/spec/paramKind/kind","value":"Nothing"}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectionPolicy}}
			vaultMust(t, rig.admin.Patch(t.Context(), policy, client.RawPatch(types.JSONPatchType, []byte(test.patch))))
			rig.gets(t, namespace, plainPod("own"), "own") // until the change is known the name is added
			policy.Spec = shipped.Spec
			vaultMust(t, rig.admin.Update(t.Context(), policy))
			rig.gets(t, namespace, plainPod("own"), "own", "shop")
		})
	}
}
