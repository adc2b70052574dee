package main

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestImagesInUseAreThoseOfSelectedNamespaces(t *testing.T) {
	team := map[string]string{"team": "yes"}
	var objects []client.Object
	var pods []corev1.Pod
	for name, labels := range map[string]map[string]string{"shop": team, "named": nil, "left-out": team, "other": nil, "kube-system": team, "regcred-system": team, "leaving": team} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		if name == "leaving" {
			namespace.DeletionTimestamp, namespace.Finalizers = &metav1.Time{Time: noon}, []string{"example.com/x"}
		}
		objects = append(objects, namespace)
		pods = append(pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "web"},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example.com/" + name + ":1"}, {Name: "side", Image: "quay.io/" + name + ":1"}}}})
	}
	object := &v1alpha1.RegistryCredential{Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: team},
		Namespaces: []v1alpha1.NamespaceName{"named", "gone"}, ExcludedNamespaces: []v1alpha1.NamespaceName{"left-out"}}}}
	for _, test := range []struct {
		name      string
		namespace string
		limit     int
		forbids   []string
		want      string
		note      string
	}{
		{"those that are selected by label or name, and not the operator's own, protected ones or those that are being deleted", "", 20, nil, "named:1 shop:1", ""},
		{"no more than the limit", "", 1, nil, "1 of them", "The first 1 images in use"},
		{"that of the caller alone", "other", 20, []string{"NamespaceList"}, "other:1", ""},
		{"none where the caller may not list namespaces", "", 20, []string{"NamespaceList"}, "", "You may not list namespaces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recorded{forbids: test.forbids}
			u := &usage{reader: r.client(objects...), pods: r.podServer(t, pods), namespace: test.namespace, limit: test.limit, operator: "regcred-system"}
			images, err := u.images(t.Context(), object, func(image string) bool { return strings.HasPrefix(image, "registry.example.com/") })
			got := strings.ReplaceAll(strings.Join(images, " "), "registry.example.com/", "")
			if len(images) == test.limit && test.limit == 1 {
				got = fmt.Sprintf("%d of them", len(images))
			}
			if notes := strings.Join(u.sorted(), " "); err != nil || got != test.want || !strings.Contains(notes, test.note) || (notes == "") != (test.note == "") {
				t.Errorf("%v: got %q, notes %q", err, got, notes)
			}
		})
	}
	object.Spec.Target.NamespaceSelector.MatchLabels = map[string]string{"no label": "x"}
	var r recorded
	u := &usage{reader: r.client(objects...), pods: r.podServer(t, pods), limit: 20}
	if images, err := u.images(t.Context(), object, func(string) bool { return true }); err == nil {
		t.Errorf("a selector that cannot be read selects %q", images)
	}
}

// The people of a namespace choose how it is called, and which images its pods have.
func TestTheImagesOfOneNamespaceAreNotAllThatAreAskedFor(t *testing.T) {
	var objects []client.Object
	var pods []corev1.Pod
	var names []v1alpha1.NamespaceName
	add := func(namespace string, images int) {
		names = append(names, v1alpha1.NamespaceName(namespace))
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		for i := range images {
			pods = append(pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("web-", i)},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: fmt.Sprintf("%s:%d", namespace, i)}}}})
		}
	}
	add("aaa", 50)
	add("shop", 2)
	add("web", 1)
	object := &v1alpha1.RegistryCredential{Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{Namespaces: names}}}
	for _, test := range []struct {
		namespace        string
		limit, all, aaas int
	}{{"", 20, 20, 17}, {"", 8, 8, 5}, {"", 4, 3 + 1, 2}, {"", 1, 1, 1}, {"", 100, 53, 50}, {"", 0, 0, 0}, {"aaa", 20, 20, 20}} {
		var r recorded
		u := &usage{reader: r.client(objects...), pods: r.podServer(t, pods), namespace: test.namespace, limit: test.limit}
		images, err := u.images(t.Context(), object, func(string) bool { return true })
		aaas := 0
		for _, image := range images {
			if strings.HasPrefix(image, "aaa:") {
				aaas++
			}
		}
		if err != nil || len(images) != test.all || aaas != test.aaas {
			t.Errorf("%+v: %v, %d images, %d of them of namespace aaa: %q", test, err, len(images), aaas, images)
		}
	}
}
