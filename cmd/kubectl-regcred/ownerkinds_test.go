package main

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// shippedPolicy is the policy of config/admission with these kinds in its limits.
func shippedPolicy(t *testing.T, kinds string) *admissionv1.ValidatingAdmissionPolicy {
	t.Helper()
	return shipped(t, "pod_delete.yaml", `"''.split`, `"'`+kinds+`'.split`)
}

func TestExplainLearnsTheKindsOfOwnersFromThePolicy(t *testing.T) {
	const kinds = "apps.kruise.io/CloneSet,core.strimzi.io/StrimziPodSet"
	for _, test := range []struct {
		name    string
		objects []client.Object
		owner   metav1.OwnerReference
		forbids []string
		// chosen is whether a StrimziPodSet is known to recreate pods, requests how many were sent.
		chosen   bool
		requests int
		note     string
	}{
		{name: "the policy lists it", objects: []client.Object{shippedPolicy(t, kinds)}, owner: metav1.OwnerReference{APIVersion: "core.strimzi.io/v1", Kind: "StrimziPodSet"}, chosen: true, requests: 1},
		{name: "the policy lists nothing", objects: []client.Object{shippedPolicy(t, "")}, owner: metav1.OwnerReference{APIVersion: "core.strimzi.io/v1", Kind: "StrimziPodSet"}, requests: 1},
		{name: "there is no policy", owner: metav1.OwnerReference{APIVersion: "core.strimzi.io/v1", Kind: "StrimziPodSet"}, requests: 1},
		{name: "it may not be read", owner: metav1.OwnerReference{APIVersion: "core.strimzi.io/v1", Kind: "StrimziPodSet"}, forbids: []string{"ValidatingAdmissionPolicy"}, requests: 1,
			note: "whether regcred restarts pods of StrimziPodSet"},
		{name: "a kind of Kubernetes needs no question", owner: metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recorded{forbids: test.forbids}
			l := &look{reader: r.client(test.objects...), now: atNoon}
			test.owner.Controller = ptr.To(true)
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", OwnerReferences: []metav1.OwnerReference{test.owner}}}
			if err := l.readOwnerKinds(t.Context(), []corev1.Pod{{}, pod}); err != nil {
				t.Fatal(err)
			}
			if got := l.owners.Chosen.Has("core.strimzi.io/v1beta2", "StrimziPodSet"); got != test.chosen || r.requests != test.requests {
				t.Errorf("chosen: %v, after %d requests", got, r.requests)
			}
			if said := strings.Join(l.sorted(), " "); !strings.Contains(said, test.note) || (test.note == "") != (said == "") {
				t.Errorf("it notes %q", said)
			}
		})
	}
}
