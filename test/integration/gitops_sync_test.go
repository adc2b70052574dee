package integration

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// syncedByTools lets Argo CD and Flux apply the same objects again and again, as they do with self-heal, and look for what they would
// prune. Nothing that they applied is changed by regcred, and nothing of regcred's bears the marks by which they prune.
func (r *operatorRun) syncedByTools(t *testing.T, namespace string) {
	t.Helper()
	for _, tool := range syncTools {
		began := time.Now()
		wanted := r.wantedBy(t, tool, namespace)
		versions := map[string]string{}
		for round := range 100 {
			for _, object := range wanted {
				applied := object.DeepCopy()
				key := object.GetKind() + "/" + object.GetName()
				vaultMust(t, r.admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner(tool.manager), client.ForceOwnership))
				if now := applied.GetResourceVersion(); round > 1 && versions[key] != now {
					t.Errorf("%s: in round %d %s had changed: %s became %s", tool.name, round, key, versions[key], now)
				}
				versions[key] = applied.GetResourceVersion()
			}
		}
		t.Logf("%s: 100 rounds took %s", tool.name, time.Since(began).Round(time.Millisecond))
		r.prunesNothing(t, tool, len(wanted))
		awaitAPI(t, tool.name+": the namespace is served still", func() error { return r.allHold(t.Context(), []string{namespace}, "first") })
	}
}

type syncTool struct {
	name, manager       string
	labels, annotations map[string]string
}

var syncTools = []syncTool{
	{"Argo CD that tracks by annotation", "argocd-controller", nil, map[string]string{"argocd.argoproj.io/tracking-id": "platform:regcred.dev/RegistryCredential:/company"}},
	{"Argo CD that tracks by label", "argocd-controller", map[string]string{"app.kubernetes.io/instance": "platform"}, nil},
	{"Flux", "kustomize-controller", map[string]string{"kustomize.toolkit.fluxcd.io/name": "platform", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}, nil},
}

// wantedBy is what lies in Git: both kinds of regcred, a namespace that is selected, and its ServiceAccount without a list.
func (r *operatorRun) wantedBy(t *testing.T, tool syncTool, namespace string) []*unstructured.Unstructured {
	t.Helper()
	var wanted []*unstructured.Unstructured
	for _, kind := range []struct{ version, kind, name, namespace string }{
		{v1alpha1.GroupVersion.String(), "RegistryCredential", "company", ""}, {v1alpha1.GroupVersion.String(), "VaultConnection", v1alpha1.DefaultConnection, ""},
		{"v1", "Namespace", namespace, ""}, {"v1", "ServiceAccount", "default", namespace},
	} {
		live := &unstructured.Unstructured{}
		live.SetAPIVersion(kind.version)
		live.SetKind(kind.kind)
		vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: kind.namespace, Name: kind.name}, live))
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": kind.version, "kind": kind.kind}}
		object.SetName(kind.name)
		object.SetNamespace(kind.namespace)
		object.SetLabels(tool.labels)
		object.SetAnnotations(tool.annotations)
		if spec, there := live.Object["spec"]; there && kind.version != "v1" {
			object.Object["spec"] = spec
		}
		wanted = append(wanted, object)
	}
	return wanted
}

// prunesNothing counts what bears the tool's marks: what it applied, and nothing else.
func (r *operatorRun) prunesNothing(t *testing.T, tool syncTool, applied int) {
	t.Helper()
	marked := 0
	for _, list := range []client.ObjectList{&corev1.SecretList{}, &corev1.ServiceAccountList{}, &corev1.NamespaceList{}, &corev1.ConfigMapList{},
		&v1alpha1.RegistryCredentialList{}, &v1alpha1.VaultConnectionList{}} {
		vaultMust(t, r.admin.List(t.Context(), list))
		vaultMust(t, meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			if err == nil && bears(object.GetLabels(), tool.labels) && bears(object.GetAnnotations(), tool.annotations) {
				marked++
			}
			return err
		}))
	}
	if marked != applied {
		t.Errorf("%s: %d objects bear its marks, want the %d that it applied", tool.name, marked, applied)
	}
}

func bears(has, marks map[string]string) bool {
	for key, value := range marks {
		if has[key] != value {
			return false
		}
	}
	return true
}
