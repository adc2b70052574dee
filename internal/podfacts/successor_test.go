package podfacts

import (
	"context"
	"errors"
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/test/inmemory"
)

// templated is a template as the owner has it now: the pod was made from an older one.
func templated() corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"note": "new"}}}
	template.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example/app:2"}}
	template.Spec.Volumes = []corev1.Volume{{Name: "data"}, {Name: "other"}}
	return template
}

func TestASuccessorIsMadeFromTheTemplateAsItIsNow(t *testing.T) {
	name, template := metav1.ObjectMeta{Namespace: "n", Name: "web", UID: "o"}, templated()
	set := &appsv1.StatefulSet{ObjectMeta: name, Spec: appsv1.StatefulSetSpec{Template: template,
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}}}
	for _, test := range []struct {
		name, api, kind string
		owner           client.Object
		claims          string
	}{
		{"ReplicaSet", "apps/v1", "ReplicaSet", &appsv1.ReplicaSet{ObjectMeta: name, Spec: appsv1.ReplicaSetSpec{Template: template}}, ""},
		{"DaemonSet", "apps/v1", "DaemonSet", &appsv1.DaemonSet{ObjectMeta: name, Spec: appsv1.DaemonSetSpec{Template: template}}, ""},
		{"Job", "batch/v1", "Job", &batchv1.Job{ObjectMeta: name, Spec: batchv1.JobSpec{Template: template}}, ""},
		{"ReplicationController", "v1", "ReplicationController", &corev1.ReplicationController{ObjectMeta: name, Spec: corev1.ReplicationControllerSpec{Template: &template}}, ""},
		{"StatefulSet, with a claim in the place of a volume", "apps/v1", "StatefulSet", set, "data-web-0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := inmemory.Cluster().WithObjects(test.owner).Build()
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-0", Labels: map[string]string{"app": "old", "pod-template-hash": "1"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: test.api, Kind: test.kind, Name: "web", UID: "o", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true)}}}}
			got, err := new(Owners).Successor(t.Context(), c, pod)
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			ref := metav1.GetControllerOf(got)
			if got.Spec.Containers[0].Image != "registry.example/app:2" || got.Labels["app"] != "web" || got.Labels["pod-template-hash"] != "1" || got.Annotations["note"] != "new" {
				t.Errorf("it is %+v", got)
			}
			if want := (metav1.OwnerReference{APIVersion: test.api, Kind: test.kind, Name: "web", UID: "o", Controller: ptr.To(true)}); ref == nil || !reflect.DeepEqual(*ref, want) || len(got.Labels) != 2 || got.Name != "" || got.Namespace != "n" {
				t.Errorf("owner %+v, name %q", ref, got.Name)
			}
			claims := ""
			for _, volume := range got.Spec.Volumes {
				if volume.Name == "data" && volume.PersistentVolumeClaim != nil {
					claims += volume.PersistentVolumeClaim.ClaimName
				}
			}
			if claims != test.claims || len(got.Spec.Volumes) != 2 {
				t.Errorf("volumes %+v", got.Spec.Volumes)
			}
		})
	}
}

func TestThereIsNoSuccessorWithoutAKnownOwner(t *testing.T) {
	c := inmemory.Cluster().Build()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-0"}}
	if got, err := new(Owners).Successor(t.Context(), c, pod); got != nil || err != nil {
		t.Errorf("a bare pod: %v, %v", got, err)
	}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "core.strimzi.io/v1beta2", Kind: "StrimziPodSet", Name: "kafka", Controller: ptr.To(true)}}
	if got, err := new(Owners).Successor(t.Context(), c, pod); got != nil || err != nil {
		t.Errorf("another kind: %v, %v", got, err)
	}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "gone", Controller: ptr.To(true)}}
	if got, err := new(Owners).Successor(t.Context(), c, pod); got != nil || client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("an owner that is gone: %v, %v", got, err)
	}
}

func TestOwnersOfChosenKinds(t *testing.T) {
	const set, clones = "core.strimzi.io/v1", "apps.kruise.io/v1alpha1"
	chosen, err := diagnosis.ParseOwnerKinds([]string{"core.strimzi.io/StrimziPodSet", "apps.kruise.io/CloneSet", "apps.kruise.io/StatefulSet"})
	if err != nil {
		t.Fatal(err)
	}
	template := map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}, "spec": map[string]any{
		"imagePullSecrets": []any{map[string]any{"name": "own"}}, "containers": []any{map[string]any{"name": "app", "image": "registry.example/app:2"}}}}
	claims := []any{map[string]any{"metadata": map[string]any{"name": "data"}}}
	for _, test := range []struct {
		name, apiVersion, kind string
		spec                   map[string]any
		gone                   bool
		chosen                 diagnosis.OwnerKinds
		// template and successor say whether there is one, claim the claim of the successor's volume.
		unread, template, successor bool
		claim                       string
	}{
		{name: "a kind with a pod template", apiVersion: clones, kind: "CloneSet", spec: map[string]any{"template": template}, chosen: chosen, template: true, successor: true},
		{name: "a kind with claims", apiVersion: clones, kind: "StatefulSet", spec: map[string]any{"template": template, "volumeClaimTemplates": claims}, chosen: chosen,
			template: true, successor: true, claim: "data-web-0"},
		{name: "claims of something else", apiVersion: clones, kind: "StatefulSet", spec: map[string]any{"template": template, "volumeClaimTemplates": "data"}, chosen: chosen},
		{name: "a kind without a pod template", apiVersion: set, kind: "StrimziPodSet", spec: map[string]any{"pods": []any{}}, chosen: chosen},
		{name: "a template of something else", apiVersion: set, kind: "StrimziPodSet", spec: map[string]any{"template": "kafka"}, chosen: chosen},
		{name: "a kind that nobody chose", apiVersion: clones, kind: "CloneSet", spec: map[string]any{"template": template}, unread: true},
		{name: "a kind of another group by the same name", apiVersion: "apps.other.io/v1", kind: "StatefulSet", spec: map[string]any{"template": template}, chosen: chosen, unread: true},
		{name: "an owner that is not there", apiVersion: clones, kind: "CloneSet", gone: true, chosen: chosen},
	} {
		t.Run(test.name, func(t *testing.T) {
			owner := &unstructured.Unstructured{Object: map[string]any{"spec": test.spec}}
			owner.SetAPIVersion(test.apiVersion)
			owner.SetKind(test.kind)
			owner.SetNamespace("n")
			owner.SetName("web")
			owner.SetUID("o")
			builder := inmemory.Cluster()
			if !test.gone {
				builder = builder.WithObjects(owner)
			}
			c := builder.Build()
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-0", OwnerReferences: []metav1.OwnerReference{
				{APIVersion: test.apiVersion, Kind: test.kind, Name: "web", UID: "o", Controller: ptr.To(true)}}}}
			pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "own"}}
			owners := &Owners{Chosen: test.chosen}
			facts, _, err := owners.Of(t.Context(), c, c, pod)
			if err != nil || len(facts) != 1 || facts[0].Unread != test.unread || facts[0].Gone != test.gone || (facts[0].Template != nil) != test.template {
				t.Fatalf("%+v, %v", facts, err)
			}
			if test.gone {
				return
			}
			got, err := owners.Successor(t.Context(), c, pod)
			if err != nil || (got != nil) != test.successor {
				t.Fatal(got, err)
			}
			if test.claim != "" && (len(got.Spec.Volumes) != 1 || got.Spec.Volumes[0].PersistentVolumeClaim.ClaimName != test.claim) {
				t.Errorf("volumes %+v", got.Spec.Volumes)
			}
		})
	}
}

// away is an API server that does not answer.
type away struct{ client.Reader }

var errAway = errors.New("connection refused")

func (away) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errAway
}

// Of an owner that could not be read nobody knows whether its next pod would have the same list of pull Secrets.
func TestThereIsNoSuccessorOfAnOwnerThatCouldNotBeRead(t *testing.T) {
	chosen, err := diagnosis.ParseOwnerKinds([]string{"apps.kruise.io/CloneSet"})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range [][2]string{{"apps/v1", "ReplicaSet"}, {"apps/v1", "StatefulSet"}, {"apps/v1", "DaemonSet"}, {"v1", "ReplicationController"}, {"batch/v1", "Job"},
		{"apps.kruise.io/v1", "CloneSet"}} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: kind[0], Kind: kind[1], Name: "web", UID: "o", Controller: ptr.To(true)}}}}
		if got, err := (&Owners{Chosen: chosen}).Successor(t.Context(), away{}, pod); got != nil || !errors.Is(err, errAway) {
			t.Errorf("%s: %v, %v", kind[1], got, err)
		}
	}
}

// shared gives a ReplicaSet as it has it, as a cache may.
type shared struct {
	client.Reader
	set *appsv1.ReplicaSet
}

func (s shared) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	*into.(*appsv1.ReplicaSet) = *s.set
	return nil
}

func TestASuccessorHasTheLabelsOfTheRevisionAndItsTemplateDoesNot(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-0", Labels: map[string]string{"pod-template-hash": "1"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "o", Controller: ptr.To(true)}}}}
	for _, labels := range []map[string]string{nil, {"app": "web"}} {
		set, had := &appsv1.ReplicaSet{}, len(labels)
		set.Spec.Template.Labels = labels
		got, err := new(Owners).Successor(t.Context(), shared{set: set}, pod)
		if err != nil || got.Labels["pod-template-hash"] != "1" || len(got.Labels) != had+1 || len(labels) != had {
			t.Errorf("it has the labels %v, its template %v: %v", got.Labels, labels, err)
		}
	}
}
