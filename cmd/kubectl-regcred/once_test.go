package main

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// In an incident thousands of pods of a few owners are stuck, and whoever creates pods chooses what they name.
func TestExplainAsksForWhatManyPodsHaveInCommonOnce(t *testing.T) {
	const pods = 2000
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "team-000", Name: "web-5d4", UID: "rs", Annotations: map[string]string{"large": "x"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: ptr.To(true)}}}}
	objects, one := crowd(1, 1)
	for _, object := range objects {
		if object.GetName() == "web" {
			object.SetUID("d") // which the ReplicaSet names
		}
	}
	for _, test := range []struct {
		name string
		make func(i int, pod *corev1.Pod)
		most int
	}{
		{"an owner", func(_ int, pod *corev1.Pod) {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4", UID: "rs", Controller: ptr.To(true)}}
		}, 48},
		{"nothing: each pod names other Secrets", func(i int, pod *corev1.Pod) {
			for n := range 10 {
				pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint("s-", i, "-", n)})
			}
		}, 540},
		{"nothing: each pod has another ServiceAccount", func(i int, pod *corev1.Pod) { pod.Spec.ServiceAccountName = fmt.Sprint("a-", i) }, 540},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all []corev1.Pod
			for i := range pods {
				pod := *stuckIn(one)[0].DeepCopy()
				pod.Name = fmt.Sprint("web-", i)
				test.make(i, &pod)
				all = append(all, pod)
			}
			var r recorded
			l := &look{reader: r.client(append(slices.Clone(objects), set)...), operator: "regcred-system", now: atNoon}
			said, err := l.explain(t.Context(), all, false)
			if err != nil || len(said.Pods) != pods {
				t.Fatalf("%v: %d pods are explained", err, len(said.Pods))
			}
			if r.requests > test.most {
				t.Errorf("%d pods take %d requests", pods, r.requests)
			}
		})
	}
}
