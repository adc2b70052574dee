package main

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/inmemory"
)

func TestANamespaceThatGoesMeanwhileKeepsNobodyFromAnAnswer(t *testing.T) {
	for _, namespaces := range []int{2, 2 * fewNamespaces} { // each read by itself, and all by lists
		t.Run(fmt.Sprint(namespaces, " namespaces"), func(t *testing.T) {
			var objects []client.Object
			for i := range namespaces {
				pod := facts().Pod
				pod.Namespace, pod.ResourceVersion = fmt.Sprint("team-", i), ""
				objects = append(objects, pod)
				if i > 0 { // the first is gone since pods were listed
					objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace}})
				}
			}
			c := inmemory.ClusterOf(scheme).WithObjects(objects...).WithIndex(&corev1.Secret{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build()
			r, err := (&look{reader: c, now: atNoon}).stuck(t.Context(), "")
			if err != nil || len(r.Pods) != namespaces-1 || r.Pods[0].Namespace != "team-1" {
				t.Errorf("%v: it explains %d pods", err, len(r.Pods))
			}
			if _, err := (&look{reader: c, now: atNoon}).pod(t.Context(), "team-0", "web-1"); !apierrors.IsNotFound(err) {
				t.Errorf("who asks for that pod is told %v", err)
			}
		})
	}
}
