package charttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/hack/release/manifests"
)

// TestTheChartRendersWhatConfigRenders compares all objects, field by field, with the values that kustomize takes from limits.
func TestTheChartRendersWhatConfigRenders(t *testing.T) {
	for _, test := range []struct {
		name, overlay, values string
		arguments             []string
	}{
		{
			name:    "as shipped",
			overlay: "resources: [CONFIG/default]\n",
			values:  "image: {repository: regcred, tag: latest}\n",
		},
		{
			name: "with other limits, in another namespace, under another name of the release",
			overlay: `
resources: [CONFIG/default, CONFIG/injection, CONFIG/owners]
namespace: platform
images:
- {name: regcred, newName: registry.company.io/platform/regcred, newTag: v1.2.3}
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "regcred,registry-creds", list: [regcred, registry-creds]}
    serviceAccountNames: {commaSeparated: "default,builder", list: [default, builder]}
    vaultServiceAccountNames: {commaSeparated: "regcred-vault,other", list: [regcred-vault, other]}
    vaultAudiences: {commaSeparated: "vault,https://vault.company.io"}
    protectedNamespaces: {commaSeparated: "kube-system,kube-public"}
    recoveryOwnerKinds:
      commaSeparated: core.strimzi.io/StrimziPodSet,apps.kruise.io/CloneSet
      apiGroups: [core.strimzi.io, apps.kruise.io]
      resources: [strimzipodsets, clonesets]
- target: {kind: Deployment, name: regcred}
  patch: |
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--vault-addresses=https://vault.company.io:8200"}
transformers: [CONFIG/replacements]
`,
			values: `
image: {repository: registry.company.io/platform/regcred, tag: v1.2.3}
secretNames: [regcred, registry-creds]
serviceAccountNames: [default, builder]
protectedNamespaces: [kube-system, kube-public]
vault:
  addresses: ["https://vault.company.io:8200"]
  serviceAccountNames: [regcred-vault, other]
  audiences: [vault, "https://vault.company.io"]
injection: {enabled: true}
podRecovery:
  ownerKinds:
  - {group: core.strimzi.io, kind: StrimziPodSet, resource: strimzipodsets}
  - {group: apps.kruise.io, kind: CloneSet, resource: clonesets}
`,
			arguments: []string{"--namespace", "platform", "--name-template", "another"},
		},
		{
			name: "with all that is optional",
			overlay: "namespace: regcred-system\nresources: [CONFIG/default, CONFIG/repull, CONFIG/successor, CONFIG/namespace-labels, CONFIG/injection]\ntransformers: [CONFIG/replacements]\n" +
				"patches:\n- target: {kind: Deployment, name: regcred}\n  patch: |\n    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --successor-first}\n",
			values: "image: {repository: regcred, tag: latest}\npodRecovery: {repull: true, successorFirst: true}\nnamespaceLabels: {enabled: true}\ninjection: {enabled: true}\n",
		},
		{
			name:    "with alerts and the dashboard",
			overlay: "resources: [CONFIG/default, CONFIG/prometheus-rule, CONFIG/dashboard]\n",
			values:  "image: {repository: regcred, tag: latest}\nmetrics: {prometheusRule: {enabled: true}, dashboard: {enabled: true}}\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			want, got := kustomize(t, test.overlay), mustTemplate(t, test.values, test.arguments...)
			for key := range want {
				if strings.HasPrefix(key, "Namespace ") {
					delete(want, key) // helm install --create-namespace makes it
				}
			}
			for _, o := range want {
				dropLabels(o)
			}
			for key, o := range got {
				dropLabels(o)
				dropKeep(t, key, o)
				if key == "ServiceAccount platform/other" {
					delete(got, key) // kustomize creates no ServiceAccount that a limit names
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("config/ (-) and the chart (+) differ:\n%s", diff)
			}
		})
	}
}

func kustomize(t *testing.T, overlay string) objects {
	t.Helper()
	folder := t.TempDir()
	base, err := filepath.Abs(config)
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(folder, base)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(overlay, "CONFIG", filepath.ToSlash(relative))
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rendered, err := manifests.Render(folder)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, rendered)
}

// dropLabels takes off the labels that only say which tool installed an object. Those by which pods are selected are elsewhere and stay.
func dropLabels(o object) {
	labels, _ := at(o, "metadata", "labels").(object)
	for _, key := range []string{"name", "instance", "version", "part-of", "managed-by"} {
		delete(labels, "app.kubernetes.io/"+key)
	}
	delete(labels, "helm.sh/chart")
	if metadata, ok := o["metadata"].(object); ok && len(labels) == 0 {
		delete(metadata, "labels")
	}
}

// dropKeep takes off the annotation by which Helm keeps an object. CRDs have it, and nothing else.
func dropKeep(t *testing.T, key string, o object) {
	t.Helper()
	annotations, _ := at(o, "metadata", "annotations").(object)
	_, kept := annotations["helm.sh/resource-policy"]
	if kept != strings.HasPrefix(key, "CustomResourceDefinition ") {
		t.Errorf("%s is kept at an uninstall: %t", key, kept)
	}
	delete(annotations, "helm.sh/resource-policy")
}
