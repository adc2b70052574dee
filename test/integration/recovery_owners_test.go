package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
)

// ownersOverlay lists kinds as people do. The role lacks unread.example.com, and the policy lacks games.example.com.
const ownersOverlay = `
namespace: regcred-system
resources: [DEFAULT, OWNERS]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    recoveryOwnerKinds:
      commaSeparated: core.strimzi.io/StrimziPodSet,apps.kruise.io/CloneSet,unread.example.com/Thing,away.example.com/Thing
      apiGroups: [core.strimzi.io, apps.kruise.io, games.example.com, away.example.com]
      resources: [strimzipodsets, clonesets, games, things]
transformers: [REPLACEMENTS]`

var (
	strimziPodSet = schema.GroupVersionKind{Group: "core.strimzi.io", Version: "v1", Kind: "StrimziPodSet"}
	cloneSet      = schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1", Kind: "CloneSet"}
	unreadThing   = schema.GroupVersionKind{Group: "unread.example.com", Version: "v1", Kind: "Thing"}
	awayThing     = schema.GroupVersionKind{Group: "away.example.com", Version: "v1", Kind: "Thing"} // the cluster does not have it
	game          = schema.GroupVersionKind{Group: "games.example.com", Version: "v1", Kind: "Game"}
	otherSet      = schema.GroupVersionKind{Group: "other.example.com", Version: "v1", Kind: "StrimziPodSet"} // nobody chose it
)

// TestPodsOfChosenOwnersAreRestarted: with the role, the admission policies and custom resources on a real API server.
func TestPodsOfChosenOwnersAreRestarted(t *testing.T) {
	t.Parallel()
	chosen := diagnosis.OwnerKinds{strimziPodSet.GroupKind(), cloneSet.GroupKind(), unreadThing.GroupKind(), awayThing.GroupKind(), game.GroupKind()}
	rig := startRecovery(t, func(rig *recoveryRig, controller *curing) {
		for _, kind := range []schema.GroupVersionKind{strimziPodSet, cloneSet, unreadThing, game, otherSet} {
			rig.create(t, customKind(kind))
		}
		kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
		rig.must(t, os.WriteFile(kubeconfig, rig.kubeconfig, 0o600))
		_, _, err := runKubectl(t, "--kubeconfig", kubeconfig, "--cache-dir", t.TempDir(), "apply", "-k", writeOverlay(t, ownersOverlay))
		rig.must(t, err)
		config := rest.CopyConfig(rig.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: operatorUser, Groups: operatorGroups()}
		controller.writer, err = client.New(config, client.Options{Scheme: rig.scheme})
		rig.must(t, err)
		controller.OwnerKinds = chosen
	})
	for _, test := range []struct {
		name   string
		kind   schema.GroupVersionKind
		change func(*unstructured.Unstructured)
		refer  func(*metav1.OwnerReference)
		pod    func(*corev1.Pod)
		// verdict without a restart, with a word of the event at the pod. Empty for a restart.
		verdict, word string
	}{
		{name: "a kind without a pod template", kind: strimziPodSet},
		{name: "a kind with a pod template", kind: cloneSet, change: func(o *unstructured.Unstructured) { withTemplate(o) }},
		{name: "a template that lists pull secrets of its own", kind: cloneSet, change: func(o *unstructured.Unstructured) { withTemplate(o, "own") },
			pod: func(p *corev1.Pod) { p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "own"}} }, verdict: "Report/OwnPullSecrets", word: "own"},
		{name: "an owner that opted out", kind: strimziPodSet, change: func(o *unstructured.Unstructured) {
			o.SetAnnotations(map[string]string{v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled})
		}, verdict: "None/OptedOut"},
		{name: "an owner that is not there", kind: strimziPodSet, refer: func(r *metav1.OwnerReference) { r.Name = "gone" }, verdict: "None/OwnerGone"},
		{name: "an owner that was made again under its name", kind: strimziPodSet, refer: func(r *metav1.OwnerReference) { r.UID = types.UID("other") }, verdict: "None/OwnerGone"},
		{name: "an owner that is not the controller", kind: strimziPodSet, refer: func(r *metav1.OwnerReference) { r.Controller = nil }, verdict: "Report/BarePod"},
		{name: "a version that is served no more: the owner is read in the present one", kind: strimziPodSet, refer: func(r *metav1.OwnerReference) { r.APIVersion = "core.strimzi.io/v9" }},
		{name: "a kind that the cluster lacks", kind: awayThing, verdict: "Report/OwnerUnknown", word: "cannot be read"},
		{name: "a kind that the role does not let the operator read", kind: unreadThing, verdict: "Report/OwnerUnknown", word: "the right to get unread.example.com/Thing"},
		{name: "a kind that the admission policy does not list", kind: game, verdict: "Report/ActionForbidden", word: "an owner of a kind in the limits"},
		{name: "a kind of another group by the same name", kind: otherSet, verdict: "Report/OwnerUnknown", word: "add other.example.com/StrimziPodSet to podRecovery.ownerKinds of the chart, or to --recovery-owner-kinds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := rig.place(t)
			ref := p.customOwner(t, test.kind, test.change)
			if test.refer != nil {
				test.refer(ref)
			}
			pod := p.pod(t, ref, func(pod *corev1.Pod) {
				if test.pod != nil {
					test.pod(pod)
				}
			})
			rig.hangs(t, pod, authFailed)
			if test.verdict == "" {
				p.publish(t, "1")
				rig.awaitRestart(t, pod)
				return
			}
			rig.expect(t, test.verdict, func() { p.publish(t, "1") })
			if test.word != "" {
				await(t, "an event that tells of "+test.word, func() bool {
					for _, note := range rig.notes(t, pod) {
						if strings.Contains(note.Note, test.word) {
							return true
						}
					}
					return false
				})
			}
			if rig.restarted(t, pod) {
				t.Error("the pod was deleted")
			}
		})
	}
}

// customOwner makes an owner, where the cluster has its kind.
func (p *place) customOwner(t *testing.T, kind schema.GroupVersionKind, change func(*unstructured.Unstructured)) *metav1.OwnerReference {
	t.Helper()
	owner := &unstructured.Unstructured{}
	owner.SetGroupVersionKind(kind)
	owner.SetNamespace(p.name)
	owner.SetName("it")
	if change != nil {
		change(owner)
	}
	if kind == awayThing {
		owner.SetUID("1")
	} else {
		awaitAPI(t, kind.Kind+" is served", func() error { return p.rig.admin.Create(t.Context(), owner) })
	}
	ref := metav1.NewControllerRef(owner, kind)
	ref.BlockOwnerDeletion = nil
	return ref
}

func withTemplate(owner *unstructured.Unstructured, secrets ...string) {
	var refs []any
	for _, name := range secrets {
		refs = append(refs, map[string]any{"name": name})
	}
	owner.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{
		"imagePullSecrets": refs, "containers": []any{map[string]any{"name": "web", "image": rigImage}},
	}}}
}

// customKind is a CRD that takes anything.
func customKind(kind schema.GroupVersionKind) client.Object {
	plural := strings.ToLower(kind.Kind) + "s"
	crd := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"group": kind.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": kind.Kind, "listKind": kind.Kind + "List", "plural": plural, "singular": strings.ToLower(kind.Kind)},
			"versions": []any{map[string]any{"name": kind.Version, "served": true, "storage": true, "schema": map[string]any{
				"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
			}}},
		},
	}}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	crd.SetName(fmt.Sprintf("%s.%s", plural, kind.Group))
	return crd
}
