package podfacts

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crfake "sigs.k8s.io/controller-runtime/pkg/client/fake"
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
		{"ReplicationController", "v1", "ReplicationController", &corev1.ReplicationController{ObjectMeta: name, Spec: corev1.ReplicationControllerSpec{Template: &template}}, ""},
		{"StatefulSet, with a claim in the place of a volume", "apps/v1", "StatefulSet", set, "data-web-0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := crfake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(test.owner).Build()
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-0", Labels: map[string]string{"app": "old", "pod-template-hash": "1"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: test.api, Kind: test.kind, Name: "web", UID: "o", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true)}}}}
			got, err := Successor(t.Context(), c, pod)
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			ref := metav1.GetControllerOf(got)
			if got.Spec.Containers[0].Image != "registry.example/app:2" || got.Labels["app"] != "web" || got.Labels["pod-template-hash"] != "1" || got.Annotations["note"] != "new" {
				t.Errorf("it is %+v", got)
			}
			if ref == nil || ref.UID != "o" || ref.BlockOwnerDeletion != nil || got.Name != "" || got.Namespace != "n" {
				t.Errorf("owner %+v, name %q", ref, got.Name)
			}
			claims := ""
			for _, volume := range got.Spec.Volumes {
				if volume.PersistentVolumeClaim != nil {
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
	c := crfake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-0"}}
	if got, err := Successor(t.Context(), c, pod); got != nil || err != nil {
		t.Errorf("a bare pod: %v, %v", got, err)
	}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "core.strimzi.io/v1beta2", Kind: "StrimziPodSet", Name: "kafka", Controller: ptr.To(true)}}
	if got, err := Successor(t.Context(), c, pod); got != nil || err != nil {
		t.Errorf("another kind: %v, %v", got, err)
	}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "gone", Controller: ptr.To(true)}}
	if got, err := Successor(t.Context(), c, pod); got != nil || client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("an owner that is gone: %v, %v", got, err)
	}
}
