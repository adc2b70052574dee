package recovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// unanswered are the cures that the API server did not answer. Perhaps it carried them out: a pod that was pulled again once more, or deleted for it,
// would be disturbed for nothing, and nobody would be told of the one that went. What is seen of the pod tells. The zero value is ready.
type unanswered struct {
	mu sync.Mutex
	m  map[types.NamespacedName]attempt
}

// attempt is a cure, and the pod as it was then.
type attempt struct {
	g       gathered
	verdict diagnosis.Verdict
}

// seenWithin is how long after a cure without an answer a pod that is gone, or pulls again, is taken for cured by it: a cache is behind for less.
const seenWithin = time.Minute

// note notes a cure without an answer, and forgets those of which nothing was seen in time.
func (u *unanswered) note(g gathered, verdict diagnosis.Verdict) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, other := range u.m {
		if g.Now.Sub(other.g.Now) > seenWithin {
			delete(u.m, key)
		}
	}
	if u.m == nil {
		u.m = map[types.NamespacedName]attempt{}
	}
	u.m[client.ObjectKeyFromObject(g.Pod)] = attempt{g, verdict}
}

// answered forgets what was tried on a pod: something was heard of it since.
func (u *unanswered) answered(pod types.NamespacedName) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.m, pod)
}

// of is what was tried on a pod lately.
func (u *unanswered) of(pod types.NamespacedName, now time.Time) (attempt, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	tried, known := u.m[pod]
	return tried, known && now.Sub(tried.g.Now) <= seenWithin
}

// carriedOut reports whether what is there now, nil for nothing, is what a cure leaves. Of a pod that is gone it is not known whether it was pulled
// again.
func (a attempt) carriedOut(pod *corev1.Pod) bool {
	if a.verdict.Action == diagnosis.Restart {
		return pod == nil || pod.UID != a.g.Pod.UID || pod.DeletionTimestamp != nil
	}
	return pod != nil && pod.UID == a.g.Pod.UID && !slices.ContainsFunc(a.verdict.Pins, func(pin diagnosis.Pin) bool {
		all := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
		return !slices.ContainsFunc(all, func(c corev1.Container) bool { return c.Name == pin.Container && c.Image == pin.Pinned })
	})
}

// hearOf takes in that a cure without an answer was carried out, where the pod shows it. One that is nil is not stuck any more: it may be gone, or run.
func (r *Reconciler) hearOf(ctx context.Context, key types.NamespacedName, pod *corev1.Pod) error {
	tried, known := r.unanswered.of(key, r.Now())
	if !known {
		return nil
	}
	if pod == nil {
		var live corev1.Pod
		err := r.Writer.Get(ctx, key, &live)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("read a pod that the API server did not answer about: %w", err)
		}
		if err == nil {
			pod = &live
		}
	}
	if tried.carriedOut(pod) {
		r.cured(ctx, tried.g, tried.verdict)
	}
	return nil
}

// cured notes that a pod was cured, and tells people.
func (r *Reconciler) cured(ctx context.Context, g gathered, verdict diagnosis.Verdict) {
	r.unanswered.answered(client.ObjectKeyFromObject(g.Pod))
	r.budget.release(g.Pod.UID)
	r.successors.expect(g.Pod, verdict, g.Now)
	r.Tally.Cure(verdict.Credentials()...)
	r.done(ctx, g, verdict)
}
