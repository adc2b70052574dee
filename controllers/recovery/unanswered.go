package recovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

const (
	// seenWithin is how long after a cure without an answer a pod that is gone, or pulls again, is taken for cured by it: a cache is behind for less.
	seenWithin = time.Minute
	// mostUnanswered are as many as are cured in that time by default. Of more, nobody is told of the first ones.
	mostUnanswered = 500
)

// lately reports whether something was tried within seenWithin. A clock that was set back makes that no longer.
func lately(at, now time.Time) bool { return now.Sub(at).Abs() <= seenWithin }

// note notes a cure without an answer, and forgets those of which nothing was seen in time, and the first one where there are too many.
func (u *unanswered) note(g gathered, verdict diagnosis.Verdict) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m == nil {
		u.m = map[types.NamespacedName]attempt{}
	}
	u.m[client.ObjectKeyFromObject(g.Pod)] = attempt{g.short(), verdict}
	var first types.NamespacedName
	var at time.Time
	for pod, other := range u.m {
		switch tried := other.g.Now; {
		case !lately(tried, g.Now):
			delete(u.m, pod)
		case first.Name == "", tried.Before(at):
			first, at = pod, tried
		}
	}
	if len(u.m) > mostUnanswered {
		delete(u.m, first)
	}
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
	return tried, known && lately(tried.g.Now, now)
}

// short is what is told of a pod once it was cured. Its people decide how large the rest is, and that of its owners.
func (g gathered) short() gathered {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: g.Pod.Namespace, Name: g.Pod.Name, UID: g.Pod.UID, OwnerReferences: g.Pod.OwnerReferences}}
	known := gathered{Facts: diagnosis.Facts{Now: g.Now, Pod: pod}}
	if top := g.top(); top != nil {
		known.owners = []*metav1.PartialObjectMetadata{{TypeMeta: top.TypeMeta, ObjectMeta: metav1.ObjectMeta{
			Namespace: top.Namespace, Name: top.Name, UID: top.UID, ResourceVersion: top.ResourceVersion}}}
	}
	return known
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
