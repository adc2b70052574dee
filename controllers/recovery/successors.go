package recovery

import (
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/internal/diagnosis"
)

// successorTimeout is when a pod that was acted on is not expected to run any more: something else is in its way.
const successorTimeout = 10 * time.Minute

// successors are the pods that are expected to run after one was acted on: the same pod after a repull, another one of the same
// owner after a restart. They tell how long a recovery took.
type successors struct {
	mu       sync.Mutex
	expected map[types.UID][]expectation
}

type expectation struct {
	action       diagnosis.Action
	change, time time.Time
}

// expect notes that a pod was acted on.
func (s *successors) expect(pod *corev1.Pod, verdict diagnosis.Verdict, now time.Time) {
	of := pod.UID
	if owner := metav1.GetControllerOf(pod); owner != nil && verdict.Action == diagnosis.Restart {
		of = owner.UID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expected == nil {
		s.expected = map[types.UID][]expectation{}
	}
	s.sweep(now)
	s.expected[of] = append(s.expected[of], expectation{action: verdict.Action, change: verdict.Change, time: now})
}

// sweep forgets who is not expected any more: also of an owner whose pods are acted on again and again, and never run.
func (s *successors) sweep(now time.Time) {
	for uid, list := range s.expected {
		list = slices.DeleteFunc(list, func(one expectation) bool { return now.Sub(one.time) > successorTimeout })
		if s.expected[uid] = list; len(list) == 0 {
			delete(s.expected, uid)
		}
	}
}

// repulled is the change for which a pod was repulled last, zero where it was not.
func (s *successors) repulled(pod types.UID) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.expected[pod]
	if len(list) == 0 {
		return time.Time{}
	}
	return list[len(list)-1].change
}

// restartedFor is the last change for which a pod was restarted that this one may replace, zero where none was. Where a sibling was restarted
// in the second in which this pod was created, it may be no successor: then its kubelet's next try must do.
func (s *successors) restartedFor(pod *corev1.Pod) time.Time {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return time.Time{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var last time.Time
	for _, one := range s.expected[owner.UID] {
		if follows(pod, one) && one.change.After(last) {
			last = one.change
		}
	}
	return last
}

// follows reports whether a pod was created after another one was acted on. Times of the API have whole seconds.
func follows(pod *corev1.Pod, acted expectation) bool {
	return !pod.CreationTimestamp.Time.Before(acted.time.Truncate(time.Second))
}

func (s *successors) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.expected) > 0
}

// awaits reports whether a pod that leaves the phase Pending may be one of them.
func (s *successors) awaits(pod *corev1.Pod) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.find(pod)
	return found
}

// arrived reports how long after the change a pod runs that was expected to.
func (s *successors) arrived(pod *corev1.Pod, now time.Time) (after time.Duration, action diagnosis.Action, ok bool) {
	if pod.Status.Phase != corev1.PodRunning {
		return 0, "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	uid, found := s.find(pod)
	if !found {
		return 0, "", false
	}
	first := s.expected[uid][0]
	if s.expected[uid] = s.expected[uid][1:]; len(s.expected[uid]) == 0 {
		delete(s.expected, uid)
	}
	return now.Sub(first.change), first.action, true
}

func (s *successors) find(pod *corev1.Pod) (types.UID, bool) {
	if _, ok := s.expected[pod.UID]; ok {
		return pod.UID, true
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "", false
	}
	list, ok := s.expected[owner.UID]
	return owner.UID, ok && follows(pod, list[0])
}
