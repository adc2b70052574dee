package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/test/scenario"
)

// check sees that a case came to its end.
func (z *zoo) check(t *testing.T, c stuckCase) {
	before := z.stuck[c.String()]
	switch c.end {
	case restarted:
		await(t, time.Minute, func(ctx context.Context) error { return allRun(ctx, c, before.UID) })
		awaitEvent(t, c, "Restart", before.UID)
		awaitEvent(t, c, "Restart", "") // one at the owner, too
	case repulled:
		await(t, time.Minute, func(ctx context.Context) error { return z.sameRuns(ctx, c) })
		await(t, time.Minute, func(ctx context.Context) error { return allRun(ctx, c, "") })
		if !anyImage(t, c, func(image string) bool { return strings.Contains(image, "@sha256:") }) {
			t.Error("no image of the pod is pinned")
		}
		awaitEvent(t, c, "Repull", before.UID)
	case healed:
		await(t, time.Until(z.fresh.Add(scenario.NodeWait)), func(ctx context.Context) error { return z.sameRuns(ctx, c) })
		t.Logf("the kubelet healed it %s after the Secret was fresh", time.Since(z.fresh).Round(time.Second))
	case left:
		must(t, z.sameHangs(t.Context(), c))
		if reason, told := strings.CutPrefix(c.dry, "Report "); told && c.name != "stranger" { // a registry that nobody provides is nobody's business
			awaitEvent(t, c, "Report", before.UID, reason)
		}
	}
	z.nothingStopped(t, c)
}

// allRun reports whether the workload of a case has all its pods running, none of them an old one.
func allRun(ctx context.Context, c stuckCase, old types.UID) error {
	pods, err := s.Pods(ctx, c.namespace, c.name)
	if err != nil {
		return err
	}
	want := map[string]int{"db": 3, "guarded": 2}[c.name]
	if want == 0 {
		want = 1
	}
	if len(pods) != want {
		return fmt.Errorf("%s has %d pods, want %d: %s", c, len(pods), want, describe(pods))
	}
	for i := range pods {
		if pods[i].UID == old || pods[i].Status.Phase != corev1.PodRunning || diagnosis.IsStuck(&pods[i]) {
			return fmt.Errorf("%s does not run: %s", c, describe(pods))
		}
	}
	return nil
}

// now is the pod that hung, as it is now.
func (z *zoo) now(ctx context.Context, c stuckCase) (*corev1.Pod, error) {
	before := z.stuck[c.String()]
	var pod corev1.Pod
	if err := s.Client.Get(ctx, client.ObjectKeyFromObject(&before), &pod); err != nil {
		return nil, err
	}
	if pod.UID != before.UID || pod.DeletionTimestamp != nil {
		return nil, fmt.Errorf("pod %s of %s was replaced", pod.Name, c)
	}
	return &pod, nil
}

func (z *zoo) sameRuns(ctx context.Context, c stuckCase) error {
	pod, err := z.now(ctx, c)
	if err != nil {
		return err
	}
	if pod.Status.Phase != corev1.PodRunning || diagnosis.IsStuck(pod) {
		return fmt.Errorf("pod %s does not run: %s", pod.Name, describe([]corev1.Pod{*pod}))
	}
	return nil
}

func (z *zoo) sameHangs(ctx context.Context, c stuckCase) error {
	pod, err := z.now(ctx, c)
	if err == nil && !diagnosis.IsStuck(pod) {
		err = fmt.Errorf("pod %s of %s is not stuck any more", pod.Name, c)
	}
	return err
}

// nothingStopped sees that every container that ran beside the stuck one still does, and was never started again.
func (z *zoo) nothingStopped(t *testing.T, c stuckCase) {
	t.Helper()
	before := z.stuck[c.String()]
	for _, status := range before.Status.ContainerStatuses {
		if status.State.Running == nil {
			continue
		}
		pod, err := z.now(t.Context(), c)
		must(t, err)
		for _, now := range pod.Status.ContainerStatuses {
			if now.Name == status.Name && (now.ContainerID != status.ContainerID || now.State.Running == nil) {
				t.Errorf("container %s of pod %s ran and was stopped: %+v", now.Name, pod.Name, now.State)
			}
		}
	}
}

func anyImage(t *testing.T, c stuckCase, matches func(string) bool) bool {
	t.Helper()
	pods, err := s.Pods(t.Context(), c.namespace, c.name)
	must(t, err)
	for i := range pods {
		for _, container := range append(pods[i].Spec.Containers, pods[i].Spec.InitContainers...) {
			if matches(container.Image) {
				return true
			}
		}
	}
	return false
}

// awaitEvent waits for regcred's event of an action about the pod with a UID or, without one, about the workload itself.
func awaitEvent(t *testing.T, c stuckCase, action string, pod types.UID, reasons ...string) {
	t.Helper()
	await(t, 15*time.Second, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := s.Client.List(ctx, &list, client.InNamespace(c.namespace)); err != nil {
			return err
		}
		for _, event := range list.Items {
			about := event.Regarding.UID == pod || pod == "" && event.Regarding.Name == c.name && event.Regarding.Kind != "Pod"
			if event.ReportingController == "regcred" && event.Action == action && about && (len(reasons) == 0 || event.Reason == reasons[0]) {
				return nil
			}
		}
		return fmt.Errorf("there is no event %s %v about %s", action, reasons, c)
	})
}

// noJobFailed sees that no Job of the zoo counts a failure.
func noJobFailed(t *testing.T) {
	t.Helper()
	for _, namespace := range []string{batch, pins} {
		var jobs batchv1.JobList
		must(t, s.Client.List(t.Context(), &jobs, client.InNamespace(namespace)))
		if len(jobs.Items) < 3 {
			t.Errorf("namespace %s has %d Jobs", namespace, len(jobs.Items))
		}
		for _, job := range jobs.Items {
			failed := slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
				return c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget
			})
			if job.Status.Failed != 0 || failed {
				t.Errorf("Job %s/%s has failed %d times: %+v", namespace, job.Name, job.Status.Failed, job.Status.Conditions)
			}
		}
	}
}

// watchBudget fails the test where a PodDisruptionBudget is ever seen to lack a healthy pod.
func watchBudget(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	watch, err := s.Client.Watch(ctx, &policyv1.PodDisruptionBudgetList{}, client.InNamespace(shop))
	must(t, err)
	done := make(chan error, 1)
	go func() {
		var low []error
		for event := range watch.ResultChan() {
			if budget, ok := event.Object.(*policyv1.PodDisruptionBudget); ok && budget.Status.CurrentHealthy < 2 {
				low = append(low, fmt.Errorf("the PodDisruptionBudget has %d healthy pods, want 2", budget.Status.CurrentHealthy))
			}
		}
		done <- errors.Join(low...)
	}()
	return func() {
		watch.Stop()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
