package integration

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestAnAPIServerWithoutPoliciesForPods: Kubernetes before 1.36 has none. The installation does without, the chart refuses to install one, and a
// RegistryCredential that needs one says so and writes its Secrets all the same.
func TestAnAPIServerWithoutPoliciesForPods(t *testing.T) {
	t.Parallel()
	program := filepath.Join(filepath.Dir(kubectlPath(t)), "kube-apiserver")
	version, err := exec.CommandContext(t.Context(), program, "--version").Output()
	vaultMust(t, err)
	var minor int
	if _, err := fmt.Sscanf(string(version), "Kubernetes v1.%d.", &minor); err != nil {
		t.Fatalf("%s says its version is %q: %v", program, version, err)
	}
	if minor >= 36 {
		t.Skip("this API server has them; make test-oldest runs one that does not")
	}
	c := startInstallation(t)
	_, _, err = runKubectl(t, "--kubeconfig", c.kubeconfig, "--cache-dir", t.TempDir(), "apply", "--dry-run=server", "-k", configFolder("injection"))
	if err == nil || !strings.Contains(err.Error(), `no matches for kind "MutatingAdmissionPolicy"`) {
		t.Fatalf("config/injection: %v", err)
	}
	chart := &chartRun{installation: c, release: "with-injection"}
	err = chart.helm(t, "image: {repository: registry.company.io/regcred, tag: v1}\ninjection: {enabled: true}\n",
		"install", chart.release, filepath.Join("..", "..", "charts", "regcred"), "--take-ownership", "--dry-run=server")
	if err == nil || !strings.Contains(err.Error(), "this API server does not serve MutatingAdmissionPolicy of admissionregistration.k8s.io/v1") {
		t.Errorf("the chart with the policy: %v", err)
	}
	r := newOperatorRun(t, c, box.VaultOptions{})
	r.createConnection(t)
	namespace := r.makeNamespaces(t, 1)[0]
	r.rotate(t, "first")
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Target.Attach = v1alpha1.AttachPods })
	r.start(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(ctx, client.ObjectKey{Name: "company"}, &object); err != nil {
			return err
		}
		said := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionAttachmentUnavailable)
		if said == nil || said.Reason != v1alpha1.ReasonInjectionMissing || !strings.Contains(said.Message, "does not serve MutatingAdmissionPolicy") ||
			!strings.Contains(said.Message, "set spec.target.attach to ServiceAccounts") {
			return fmt.Errorf("it says %+v", said)
		}
		return nil
	})
	awaitAPI(t, "the Secret is written", func() error {
		return r.holds(t, client.ObjectKey{Namespace: namespace, Name: "regcred"}, "first")
	})
	var account corev1.ServiceAccount
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "default"}, &account))
	if len(account.ImagePullSecrets) != 1 {
		t.Errorf("the ServiceAccount names %v", account.ImagePullSecrets)
	}
}
