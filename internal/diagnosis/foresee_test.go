package diagnosis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestWhatIsSaidOfASuccessor(t *testing.T) {
	const changed = "container app: the Secret changed"
	verdict := Verdict{Action: Restart, Reason: StaleCredential, Message: changed, Change: noon, Findings: []Finding{{}, {Secret: "regcred"}}}
	pod, lacking := podWithCPU(""), &corev1.Pod{}
	for _, test := range []struct {
		name     string
		admitted *corev1.Pod
		err      error
		after    time.Duration
		want     Verdict
	}{
		{"it would lack the Secret, a moment after the change", lacking, nil, time.Minute - time.Nanosecond,
			Verdict{Action: Wait, Reason: AdmissionLag, RecheckAfter: time.Second, Message: changed + "; a new pod would not name Secret regcred yet"}},
		{"it would lack the Secret, a minute after the change", lacking, nil, time.Minute,
			Verdict{Action: Report, Reason: ReferenceNotAdded, RecheckAfter: 5 * time.Minute,
				Message: changed + "; the pod is not restarted, because a new one would not name Secret regcred either",
				Advice:  "look what keeps the name from new pods: a webhook, a list in the owner's template, or an annotation"}},
		{"it is refused", pod, webhookError(400), 0,
			Verdict{Action: Report, Reason: SuccessorRefused, RecheckAfter: 5 * time.Minute,
				Message: changed + `; the pod is not restarted, because the API server would refuse its successor: admission webhook "policy.example" denied the request: no`,
				Advice:  "let the successor pass, or change the owner's template; the pod is looked at again every 5 minutes"}},
		{"nothing is said of it", pod, errors.New("no answer"), 0,
			Verdict{Action: Wait, Reason: SuccessorUnknown, RecheckAfter: 10 * time.Second,
				Message: changed + "; the pod is not restarted before the API server says whether it takes its successor: no answer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := verdict.Foresee(pod, pod, test.admitted, test.err, noon.Add(test.after))
			test.want.Findings, test.want.Change = verdict.Findings, verdict.Change
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(Finding{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatAnAnswerSaysOfASuccessorIsShort(t *testing.T) {
	verdict := Verdict{Action: Restart, Message: strings.Repeat("m", 900), Change: noon, Findings: []Finding{{Secret: strings.Repeat("s", 900)}}}
	pod := &corev1.Pod{}
	for name, got := range map[string]Verdict{
		"refused":                 verdict.Foresee(pod, pod, pod, webhookError(400), noon),
		"unknown":                 verdict.Foresee(pod, pod, pod, errors.New(strings.Repeat("x", 5000)), noon),
		"lacking for a moment":    verdict.Foresee(pod, pod, pod, nil, noon),
		"lacking for a long time": verdict.Foresee(pod, pod, pod, nil, noon.Add(time.Hour)),
	} {
		if len(got.Message) > 1000 {
			t.Errorf("%s: %d bytes", name, len(got.Message))
		}
	}
	long := Verdict{Action: Restart, Message: "m"}.Foresee(pod, pod, pod, errors.New(strings.Repeat("x", 5000)), noon)
	if len(long.Message) > 450 {
		t.Errorf("an answer is quoted in %d bytes", len(long.Message))
	}
}

func TestWhichAnswersAreAboutTheSuccessor(t *testing.T) {
	for code, want := range map[int32]Reason{
		300: SuccessorUnknown, 399: SuccessorUnknown, 400: SuccessorRefused, 403: SuccessorRefused, 422: SuccessorRefused, 499: SuccessorRefused,
		401: SuccessorUnknown, 404: SuccessorUnknown, 408: SuccessorUnknown, 409: SuccessorUnknown, 429: SuccessorUnknown, 500: SuccessorUnknown, 503: SuccessorUnknown,
	} {
		if got := (Verdict{Action: Restart}).Foresee(podWithCPU(""), podWithCPU(""), podWithCPU(""), webhookError(code), noon); got.Reason != want {
			t.Errorf("%d: %s, want %s", code, got.Reason, want)
		}
	}
}

func TestASuccessorThatMayCountForMoreInAQuotaIsRefused(t *testing.T) {
	cpu := func(amount string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(amount)}}
	}
	limit := func(amount string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(amount)}}
	}
	pod := func(init, main []corev1.Container) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{InitContainers: init, Containers: main}}
	}
	app := func(resources corev1.ResourceRequirements) []corev1.Container {
		return []corev1.Container{{Name: "app", Resources: resources}}
	}
	whole := func(of *corev1.Pod) *corev1.Pod {
		of.Spec.Resources = &corev1.ResourceRequirements{}
		return of
	}
	for _, test := range []struct {
		name          string
		before, asked *corev1.Pod
		want          bool
	}{
		{"the same", pod(nil, app(cpu("1"))), pod(nil, app(cpu("1"))), false},
		{"less", pod(nil, app(cpu("1"))), pod(nil, app(cpu("500m"))), false},
		{"more", pod(nil, app(cpu("1"))), pod(nil, app(cpu("1001m"))), true},
		{"a request where there was none", pod(nil, app(corev1.ResourceRequirements{})), pod(nil, app(cpu("1"))), true},
		{"a higher limit", pod(nil, app(limit("1"))), pod(nil, app(limit("2"))), true},
		{"the same limit", pod(nil, app(limit("1"))), pod(nil, app(limit("1"))), false},
		{"a container of another name", pod(nil, app(cpu("1"))), pod(nil, []corev1.Container{{Name: "other"}}), true},
		{"an init container more", pod(nil, app(cpu("1"))), pod(app(cpu("1")), app(cpu("1"))), true},
		{"a container less", pod(app(cpu("1")), app(cpu("1"))), pod(nil, app(cpu("1"))), false},
		{"an init container that asks for more", pod([]corev1.Container{{Name: "init"}}, app(cpu("1"))), pod([]corev1.Container{{Name: "init", Resources: cpu("1")}}, app(cpu("1"))), true},
		{"resources of the whole pod", pod(nil, nil), whole(pod(nil, nil)), true},
		{"resources of the whole pod before", whole(pod(nil, nil)), pod(nil, nil), true},
	} {
		if got := demandsMore(test.before, test.asked); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	full := quotaError("pods=1", "pods=10", "pods=10")
	if frees(nil, podWithCPU(""), full) || !frees(podWithCPU(""), podWithCPU(""), full) {
		t.Error("a quota is full because of a pod that is not known")
	}
	if frees(podWithCPU(""), podWithCPU(""), errors.New(full.Error())) {
		t.Error("what is not forbidden is no quota")
	}
	for _, text := range []string{"exceeded quota: a, requested: pods=1, used: cpu=1, limited: pods=10", "exceeded quota: a, requested: pods=1, used: pods=1, limited: =", "no quota"} {
		if frees(podWithCPU(""), podWithCPU(""), apierrors.NewForbidden(podResource, "web", fmt.Errorf("%s", text))) {
			t.Errorf("%q frees the quota", text)
		}
	}
}

func TestTheTextOfAVerdict(t *testing.T) {
	if got := (Verdict{Message: "it waits"}).Text(); got != "it waits" {
		t.Errorf("%q", got)
	}
	if got := (Verdict{Message: "it waits", Advice: "wait, too"}).Text(); got != "it waits. What you can do: wait, too" {
		t.Errorf("%q", got)
	}
	standing := Standing{Rejected: "401", Accepted: noon, Digests: map[string]string{image: sum}}
	if diff := cmp.Diff(Entry{Key: host, Rejected: "401", Accepted: noon, Digests: map[string]string{image: sum}}, standing.Entry(host)); diff != "" {
		t.Error(diff)
	}
}
