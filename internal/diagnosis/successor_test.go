package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var podResource = schema.GroupResource{Resource: "pods"}

func podWithCPU(cpu string) *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}}}}
	if cpu != "" {
		pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
	}
	return pod
}

func quotaError(requested, used, limited string) error {
	return apierrors.NewForbidden(podResource, "web-x", fmt.Errorf("exceeded quota: team, requested: %s, used: %s, limited: %s", requested, used, limited))
}

func webhookError(code int32) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: `admission webhook "policy.example" denied the request: no`}}
}

func TestAPodIsRestartedOnlyWhereItsSuccessorIsTaken(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, asked *corev1.Pod
		err           error
		want          Action
		reason        Reason
	}{
		{name: "the API server takes the successor", want: Restart},
		{name: "a pod of that name is still there, which is asked last", err: apierrors.NewAlreadyExists(podResource, "db-0"), want: Restart},
		{name: "a quota is full because the pod is still there", err: quotaError("pods=1", "pods=10", "pods=10"), want: Restart},
		{name: "a quota of CPU is full because the pod is still there", before: podWithCPU("500m"), asked: podWithCPU("500m"),
			err: quotaError("requests.cpu=500m", "requests.cpu=3900m", "requests.cpu=4"), want: Restart},
		{name: "admission filled in what the template leaves out", before: podWithCPU("500m"), err: quotaError("requests.cpu=500m", "requests.cpu=4", "requests.cpu=4"), want: Restart},
		{name: "a quota was lowered below what is used", err: quotaError("pods=1", "pods=10", "pods=9"), want: Report, reason: SuccessorRefused},
		{name: "one of two limits was lowered", err: quotaError("pods=1,requests.cpu=1", "pods=9,requests.cpu=5", "pods=9,requests.cpu=4"), want: Report, reason: SuccessorRefused},
		{name: "the template asks for more than the pod holds", before: podWithCPU("500m"), asked: podWithCPU("600m"),
			err: quotaError("requests.cpu=600m", "requests.cpu=4", "requests.cpu=4"), want: Report, reason: SuccessorRefused},
		{name: "the template has a container more", asked: &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}, {Name: "new"}}}},
			err: quotaError("pods=1", "pods=9", "pods=9"), want: Report, reason: SuccessorRefused},
		{name: "a quota whose numbers cannot be read", err: quotaError("pods=1", "pods=many", "pods=9"), want: Report, reason: SuccessorRefused},
		{name: "a quota that wants limits", err: apierrors.NewForbidden(podResource, "web", errors.New("failed quota: team: must specify limits.cpu for: app")), want: Report, reason: SuccessorRefused},
		{name: "Pod Security", err: apierrors.NewForbidden(podResource, "web", errors.New(`violates PodSecurity "restricted:latest"`)), want: Report, reason: SuccessorRefused},
		{name: "a template that is not valid any more", err: apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "web", field.ErrorList{field.Required(field.NewPath("spec"), "x")}), want: Report, reason: SuccessorRefused},
		{name: "a webhook that refuses", err: webhookError(400), want: Report, reason: SuccessorRefused},
		{name: "a webhook that refuses with a code of its own", err: webhookError(418), want: Report, reason: SuccessorRefused},
		{name: "a webhook that cannot be reached", err: apierrors.NewInternalError(errors.New("failed calling webhook")), want: Wait, reason: SuccessorUnknown},
		{name: "too many requests", err: apierrors.NewTooManyRequests("later", 1), want: Wait, reason: SuccessorUnknown},
		{name: "a conflict at the quota", err: apierrors.NewConflict(schema.GroupResource{Resource: "resourcequotas"}, "team", errors.New("changed")), want: Wait, reason: SuccessorUnknown},
		{name: "the time is up", err: context.DeadlineExceeded, want: Wait, reason: SuccessorUnknown},
		{name: "the namespace is gone", err: apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "n"), want: Wait, reason: SuccessorUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, asked := test.before, test.asked
			if before == nil {
				before = podWithCPU("")
			}
			if asked == nil {
				asked = podWithCPU("")
			}
			verdict := Verdict{Action: Restart, Reason: StaleCredential, Message: "container app: the Secret changed", Findings: []Finding{{Secret: "regcred"}}}
			got := verdict.Foresee(before, asked, podWithCPU(""), test.err, time.Unix(100, 0))
			if test.reason == "" {
				test.reason = StaleCredential
			}
			if got.Action != test.want || got.Reason != test.reason || got.Action != Restart && (got.RecheckAfter == 0 || !strings.HasPrefix(got.Message, verdict.Message)) {
				t.Errorf("%s, %s: %s", got.Action, got.Reason, got.Message)
			}
		})
	}
}

func TestAPodIsNotRestartedWhereItsSuccessorWouldLackTheSecret(t *testing.T) {
	change := time.Unix(1000, 0)
	verdict := Verdict{Action: Restart, Reason: MissingReference, Change: change, Findings: []Finding{{Secret: "regcred"}, {}}}
	lacking := &corev1.Pod{}
	if got := verdict.Foresee(lacking, lacking, lacking, nil, change.Add(time.Second)); got.Action != Wait || got.Reason != AdmissionLag {
		t.Errorf("just after the change: %s, %s", got.Action, got.Reason)
	}
	if got := verdict.Foresee(lacking, lacking, lacking, nil, change.Add(time.Hour)); got.Action != Report || got.Reason != ReferenceNotAdded {
		t.Errorf("long after the change: %s, %s", got.Action, got.Reason)
	}
	if got := verdict.Foresee(lacking, lacking, podWithCPU(""), nil, change.Add(time.Hour)); got.Action != Restart {
		t.Errorf("the successor names it: %s, %s", got.Action, got.Reason)
	}
}

func FuzzRefusalOfASuccessor(f *testing.F) {
	f.Add("exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1")
	f.Add("exceeded quota: team, requested: a, used: =, limited: ,")
	f.Fuzz(func(t *testing.T, text string) {
		verdict := Verdict{Action: Restart, Reason: StaleCredential, Findings: []Finding{{Secret: "regcred"}}}
		got := verdict.Foresee(podWithCPU(""), podWithCPU(""), podWithCPU(""), apierrors.NewForbidden(podResource, "web", errors.New(text)), time.Unix(1, 0))
		if got.Action == Restart && !strings.Contains(text, "exceeded quota: ") {
			t.Errorf("restarted after %q", text)
		}
	})
}
