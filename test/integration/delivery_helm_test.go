package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// foreignChart is somebody's chart with a ServiceAccount that lists a pull secret of its own. Each upgrade changes something beside it.
var foreignChart = map[string]string{
	"Chart.yaml":  "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
	"values.yaml": "pullSecrets: [{name: theirs}]\n",
	"templates/objects.yaml": `apiVersion: v1
kind: ServiceAccount
metadata: {name: builder}
imagePullSecrets: {{ toJson .Values.pullSecrets }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: revision}
data: {revision: "{{ .Release.Revision }}"}
`,
}

const upgrades = 10

// TestAChartWithItsOwnPullSecretsIsUpgraded: Helm 4 applies on the server. In both modes of attachment it meets no conflict, and no entry is
// lost.
func TestAChartWithItsOwnPullSecretsIsUpgraded(t *testing.T) {
	t.Parallel()
	rig, values := startDeliveryRig(t), &shelf{}
	rig.kubectl(t, "apply", "-k", configFolder("injection"))
	rig.start(t, runOptions{shelf: values})
	chart := t.TempDir()
	for name, text := range foreignChart {
		path := filepath.Join(chart, filepath.FromSlash(name))
		vaultMust(t, os.MkdirAll(filepath.Dir(path), 0o700))
		vaultMust(t, os.WriteFile(path, []byte(text), 0o600))
	}
	for _, mode := range []v1alpha1.AttachMode{v1alpha1.AttachServiceAccounts, v1alpha1.AttachPods} {
		t.Run(string(mode), func(t *testing.T) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}
			rig.create(t, namespace)
			in := *rig.installation
			in.home = namespace.Name
			release, name := &chartRun{installation: &in}, "chart-of-"+namespace.Name
			values.put(name, "one")
			rig.credential(t, name, "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
				inNamespaces(namespace.Name)(spec)
				spec.Target.Attach = mode
				if mode == v1alpha1.AttachServiceAccounts {
					spec.Target.ServiceAccounts = &[]string{"builder"}
				}
			})
			vaultMust(t, release.helm(t, "", "install", "shop", chart))
			eventually(t, "regcred has looked at the ServiceAccount", func(ctx context.Context) error { return rig.chartServed(ctx, mode, name, namespace.Name) })
			for i := range upgrades {
				if err := release.helm(t, "", "upgrade", "shop", chart); err != nil {
					t.Fatalf("upgrade %d: %v", i+1, err)
				}
				vaultMust(t, rig.names(t.Context(), namespace.Name, "builder", "theirs"))
			}
			eventually(t, "nothing changed", func(ctx context.Context) error { return rig.chartServed(ctx, mode, name, namespace.Name) })
			if mode != v1alpha1.AttachServiceAccounts {
				return
			}
			both := "pullSecrets: [{name: theirs}, {name: regcred}]"
			vaultMust(t, release.helm(t, both, "upgrade", "shop", chart))
			eventually(t, "with the line that the status shows all is well", func(ctx context.Context) error { return rig.ready(ctx, name) })
			vaultMust(t, release.helm(t, both, "upgrade", "shop", chart))
			vaultMust(t, rig.names(t.Context(), namespace.Name, "builder", "theirs", "regcred"))
		})
	}
}

// chartServed reports whether pods get the Secret by the policy, or the status says how the chart must be changed.
func (rig *deliveryRig) chartServed(ctx context.Context, mode v1alpha1.AttachMode, credential, namespace string) error {
	if mode == v1alpha1.AttachServiceAccounts {
		return rig.failure(ctx, credential, namespace, v1alpha1.ReasonServiceAccountApplied, "[{name: theirs}, {name: regcred}]")
	}
	pod := plainPod("own")
	pod.Spec.ServiceAccountName = "builder"
	got, err := admitted(ctx, rig.admin, namespace, pod)
	if err == nil && fmt.Sprint(got) != "[own regcred]" {
		err = fmt.Errorf("a pod names %v", got)
	}
	return errors.Join(err, rig.ready(ctx, credential))
}
