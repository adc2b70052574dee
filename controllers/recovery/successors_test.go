package recovery

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/internal/diagnosis"
)

func podOf(owner, uid string, created time.Time, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "web-" + uid, UID: types.UID(uid), CreationTimestamp: metav1.NewTime(created),
			OwnerReferences: []metav1.OwnerReference{{UID: types.UID(owner), Controller: ptr.To(true)}}},
		Status: corev1.PodStatus{Phase: phase},
	}
}

func TestSuccessors(t *testing.T) {
	change := start.Add(-3 * time.Second)
	old := podOf("set", "a", start.Add(-time.Hour), corev1.PodPending)
	tests := []struct {
		name   string
		action diagnosis.Action
		pod    *corev1.Pod
		want   bool
	}{
		{"a new pod of the same owner is the successor of a restarted one", diagnosis.Restart, podOf("set", "b", start.Add(time.Second), corev1.PodRunning), true},
		{"one that does not run yet has not arrived", diagnosis.Restart, podOf("set", "b", start.Add(time.Second), corev1.PodPending), false},
		{"an older sibling is not the successor", diagnosis.Restart, podOf("set", "c", start.Add(-time.Minute), corev1.PodRunning), false},
		{"a pod of another owner is not the successor", diagnosis.Restart, podOf("other", "d", start.Add(time.Second), corev1.PodRunning), false},
		{"after a repull the same pod is expected", diagnosis.Repull, podOf("set", "a", start.Add(-time.Hour), corev1.PodRunning), true},
		{"after a repull no other pod is expected", diagnosis.Repull, podOf("set", "b", start.Add(time.Second), corev1.PodRunning), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s successors
			s.expect(old, diagnosis.Verdict{Action: test.action, Change: change}, start)
			after, action, ok := s.arrived(test.pod, start.Add(2*time.Second))
			if ok != test.want {
				t.Fatalf("arrived is %t, want %t", ok, test.want)
			}
			if ok && (after != 5*time.Second || action != test.action || s.any()) {
				t.Errorf("%s took %s, and more are expected: %t", action, after, s.any())
			}
		})
	}
}

func TestWhoNeverArrivesIsForgotten(t *testing.T) {
	var s successors
	s.expect(podOf("set", "a", start, corev1.PodPending), diagnosis.Verdict{Action: diagnosis.Restart}, start)
	s.expect(podOf("other", "b", start, corev1.PodPending), diagnosis.Verdict{Action: diagnosis.Restart}, start.Add(successorTimeout+time.Second))
	if len(s.expected) != 1 {
		t.Errorf("%d owners are expected to have successors, want the later one alone", len(s.expected))
	}
}

// Whoever may write what a pod waits for can have the pods of one owner restarted all day.
func TestAnOwnerWhosePodsNeverRunIsRememberedForTenMinutes(t *testing.T) {
	var s successors
	now := start
	for range 3000 {
		s.expect(podOf("set", "a", start, corev1.PodPending), diagnosis.Verdict{Action: diagnosis.Restart, Change: now}, now)
		now = now.Add(time.Second)
	}
	if kept := len(s.expected["set"]); kept > int(successorTimeout/time.Second)+1 {
		t.Errorf("%d restarts are remembered", kept)
	}
	if after, _, _ := s.arrived(podOf("set", "b", now, corev1.PodRunning), now); after > successorTimeout+time.Second {
		t.Errorf("the recovery counts as one that took %s", after)
	}
}

func TestAPodThatReplacesOneHadWhatThatWasRestartedFor(t *testing.T) {
	change, at := start, start.Add(300*time.Millisecond)
	for _, test := range []struct {
		name   string
		action diagnosis.Action
		pod    *corev1.Pod
		want   time.Time
	}{
		{"created in the second of the restart", diagnosis.Restart, podOf("set", "b", start, corev1.PodPending), change},
		{"created before the restart", diagnosis.Restart, podOf("set", "b", start.Add(-time.Second), corev1.PodPending), time.Time{}},
		{"of another owner", diagnosis.Restart, podOf("other", "b", start, corev1.PodPending), time.Time{}},
		{"of no owner", diagnosis.Restart, &corev1.Pod{}, time.Time{}},
		{"beside a pod that was repulled", diagnosis.Repull, podOf("set", "b", start, corev1.PodPending), time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s successors
			s.expect(podOf("set", "a", start.Add(-time.Hour), corev1.PodPending), diagnosis.Verdict{Action: test.action, Change: change}, at)
			if got := s.restartedFor(test.pod); !got.Equal(test.want) {
				t.Errorf("restarted for the change at %v, want %v", got, test.want)
			}
		})
	}
}
