package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/collector"
)

// TestARotationIsOneTrace: the operator's own program sends the five phases of a rotation to a collector, and nothing of the password.
func TestARotationIsOneTrace(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 3)
	pod := r.podThatIsStuck(t, namespaces[0])
	awaitNextSecond(t) // the pod must be older than its Secret, in whole seconds
	collected := collector.Start(t)
	r.flags, r.env = []string{"--otlp-endpoint=" + collected.URL}, []string{"OTEL_BSP_SCHEDULE_DELAY=100"}
	r.rotate(t, canary)
	r.start(t)
	r.applyCredential(t)
	var spans map[string]collector.Span
	awaitWithin(t, time.Minute, func(context.Context) error {
		spans = oneTrace(collected.Spans())
		if len(spans) < 5 {
			return fmt.Errorf("of the trace of the cure came %v", spans)
		}
		return nil
	})
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	for child, parent := range map[string]string{"test": "read", "publish": "read", "deliver": "publish", "cure": "deliver"} {
		if spans[child].Parent != spans[parent].ID {
			t.Errorf("%s is no child of %s: %+v", child, parent, spans[child])
		}
	}
	for name, want := range map[string]map[string]string{
		"read":    {"regcred.outcome": "Read"},
		"test":    {"regcred.outcome": "Accepted", "regcred.registry": r.registry.Basic},
		"publish": {"regcred.revision": r.credential(t).Status.Credential.Revision},
		"deliver": {"regcred.outcome": "Delivered", "regcred.namespaces.selected": "3", "regcred.namespaces.synced": "3"},
		"cure":    {"regcred.outcome": "Restart", "k8s.namespace.name": namespaces[0], "k8s.pod.name": pod},
	} {
		want["regcred.credential"] = "company"
		for key, value := range want {
			if got := spans[name].Attributes[key]; got != value {
				t.Errorf("%s: %s is %q, want %q", name, key, got, value)
			}
		}
		if spans[name].Failed || spans[name].End < spans[name].Start {
			t.Errorf("%s failed, or ends before it begins: %+v", name, spans[name])
		}
	}
	if form := leaked(collected.Raw(), canary); form != "" {
		t.Errorf("the traces hold the password as %q", form)
	}
}

// oneTrace are the spans of the trace that a cure belongs to, by name. A cure that met another version of the pod did nothing: it is one attempt of two,
// and the other is meant.
func oneTrace(all []collector.Span) map[string]collector.Span {
	found := map[string]collector.Span{}
	for _, cure := range all {
		for _, span := range all {
			if cure.Name == "cure" && span.Trace == cure.Trace && span.Attributes["regcred.outcome"] != "Conflict" {
				found[span.Name] = span
			}
		}
	}
	return found
}

// podThatIsStuck makes a pod that cannot pull, because its credential is missing, and that a ReplicaSet would make again.
func (r *operatorRun) podThatIsStuck(t *testing.T, namespace string) string {
	t.Helper()
	r.push(t, "shop/app:1")
	labels := map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		NodeName:         "node",
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}},
		Containers:       []corev1.Container{{Name: "app", Image: r.registry.Basic + "/shop/app:1"}},
	}}
	owner := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}, Spec: appsv1.ReplicaSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template,
	}}
	vaultMust(t, r.admin.Create(t.Context(), owner))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-1", Labels: labels, OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")),
	}}, Spec: template.Spec}
	vaultMust(t, r.admin.Create(t.Context(), pod))
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Image: pod.Spec.Containers[0].Image, State: waitsFor("ImagePullBackOff", fmt.Sprintf(
		"Back-off pulling image %q: ErrImagePull: failed to pull and unpack image %[1]q: failed to resolve image: pull access denied, "+
			"repository does not exist or may require authorization: authorization failed: no basic auth credentials", pod.Spec.Containers[0].Image))}}
	vaultMust(t, r.admin.Status().Update(t.Context(), pod))
	return pod.Name
}
