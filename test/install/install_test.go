package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

// The two RegistryCredentials of each installation: deletionPolicy Retain and Delete.
const kept, removed = "kept", "removed"

// secretName is that of an installation as shipped.
const secretName = "regcred"

// installation is one pass: regcred is installed, heals pods, and is removed.
type installation struct {
	way
	id       string // begins the names of its namespaces
	password string // of the registry
	image    string // of the application; no node has it yet
	uids     map[string]types.UID
}

func (i *installation) namespace(credential string) string { return i.id + "-" + credential }

// TestInstallHealUninstall installs regcred from the release's image for several platforms, under Pod Security "restricted". Pods that are stuck
// run. Then regcred is removed; no Secret goes that is to stay, no pod is disturbed, and nothing is left that waits for an operator.
func TestInstallHealUninstall(t *testing.T) {
	for n, order := range orders() {
		t.Run(order.way+": "+order.name, func(t *testing.T) {
			i := &installation{way: ways()[order.way](t), id: fmt.Sprintf("install-%d", n+1)}
			t.Cleanup(func() { i.clearUp(t) })
			begun := time.Now()
			i.install(t)
			ready := time.Since(begun)
			i.heal(t)
			healed := time.Since(begun)
			for _, step := range order.steps {
				step(t, i)
			}
			i.nothingIsLeft(t)
			i.secretsAre(t, order.removedStays)
			t.Logf("measured: %s %s: ready after %s, pods healed after %s, uninstalled after %s", order.way, order.name,
				ready.Round(100*time.Millisecond), healed.Round(100*time.Millisecond), time.Since(begun).Round(100*time.Millisecond))
		})
	}
}

func (i *installation) install(t *testing.T) {
	t.Helper()
	i.way.install(t)
	await(t, 2*time.Minute, s.OperatorReady)
	i.runsTheRelease(t)
	podSecurityIsEnforced(t)
	networkPolicyAllows(t, 443, 8200, 5000)
	must(t, s.ConnectVault(t.Context()))
}

// runsTheRelease: the node chose from the index of the release.
func (i *installation) runsTheRelease(t *testing.T) {
	t.Helper()
	var pods corev1.PodList
	must(t, s.Client.List(t.Context(), &pods, client.InNamespace(scenario.SystemNamespace), client.MatchingLabels{"app.kubernetes.io/name": "regcred"}))
	running := 0
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			continue
		}
		running++
		if status := pod.Status.ContainerStatuses; len(status) != 1 || !strings.HasSuffix(status[0].ImageID, "@"+built.digest) {
			t.Errorf("%s does not run the image %s: %+v", pod.Name, built.digest, status)
		}
	}
	if running != 2 {
		t.Errorf("%d pods of the operator, want 2", running)
	}
}

// podSecurityIsEnforced: the namespace admits no pod that may do more than "restricted" says.
func podSecurityIsEnforced(t *testing.T) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: scenario.SystemNamespace, Name: "privileged"}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "a", Image: "a", SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)}}},
	}}
	err := client.NewDryRunClient(s.Client).Create(t.Context(), pod)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		t.Errorf("a privileged pod in the operator's namespace: %v", err)
	}
}

// networkPolicyAllows reads the NetworkPolicy: the network of the box does not enforce it.
func networkPolicyAllows(t *testing.T, ports ...int) {
	t.Helper()
	var policy networkingv1.NetworkPolicy
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: scenario.SystemNamespace, Name: "regcred"}, &policy))
	var allowed []int
	for _, rule := range policy.Spec.Egress {
		for _, port := range rule.Ports {
			allowed = append(allowed, port.Port.IntValue())
		}
	}
	for _, port := range ports {
		if !slices.Contains(allowed, port) {
			t.Errorf("the NetworkPolicy lets the operator out to %v, and not to %d", allowed, port)
		}
	}
}

// heal is the incident: pods without a credential are stuck, and run when regcred was given one.
func (i *installation) heal(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	i.password = i.id
	must(t, s.SetRegistryPassword(ctx, i.password))
	must(t, s.SetVaultPassword(ctx, i.password))
	var err error
	i.image, err = s.PushApp(ctx, i.id)
	must(t, err)
	for _, name := range []string{kept, removed} {
		must(t, s.CreateNamespace(ctx, i.namespace(name), nil))
		must(t, s.Client.Create(ctx, scenario.Deployment(i.namespace(name), "web", scenario.Template("web", i.image))))
	}
	await(t, time.Minute, s.Stuck("web", "no basic auth credentials", i.namespace(kept), i.namespace(removed)))
	for name, policy := range map[string]v1alpha1.DeletionPolicy{kept: v1alpha1.DeletionRetain, removed: v1alpha1.DeletionDelete} {
		must(t, s.Client.Create(ctx, i.credential(name, policy)))
	}
	i.works(t)
	i.uids = map[string]types.UID{}
	for _, name := range []string{kept, removed} {
		i.uids[name] = i.secret(t, name).UID
	}
}

func (i *installation) credential(name string, policy v1alpha1.DeletionPolicy) *v1alpha1.RegistryCredential {
	return &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RegistryCredentialSpec{
		Registries:     []v1alpha1.Registry{v1alpha1.Registry(s.Registry)},
		Source:         v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: scenario.VaultPath}},
		Target:         v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(i.namespace(name))}},
		DeletionPolicy: policy,
	}}
}

// works waits until both credentials are Ready and pods run with them.
func (i *installation) works(t *testing.T) {
	t.Helper()
	for _, name := range []string{kept, removed} {
		await(t, time.Minute, func(ctx context.Context) error {
			var object v1alpha1.RegistryCredential
			if err := s.Client.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
				return err
			}
			if ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Status != metav1.ConditionTrue ||
				ready.ObservedGeneration != object.Generation {
				return fmt.Errorf("%s is not Ready: %+v", name, ready)
			}
			return nil
		})
	}
	await(t, time.Minute, s.Running("web", i.image, i.namespace(kept), i.namespace(removed)))
}

func (i *installation) secret(t *testing.T, credential string) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Namespace: i.namespace(credential), Name: secretName}, &secret))
	return &secret
}
