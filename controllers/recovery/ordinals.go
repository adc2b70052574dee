package recovery

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// ordinalTimeout is how long one ordinal may take before the next is served all the same.
const ordinalTimeout = time.Minute

// ordinals let one pod of a StatefulSet be restarted at a time. They live in memory: after a restart of the operator at most one
// more pod of a StatefulSet is under way.
type ordinals struct {
	mu    sync.Mutex
	turns map[types.UID]turn
}

// turn is the pod of a StatefulSet that is being restarted.
type turn struct {
	pod   types.NamespacedName
	uid   types.UID
	since time.Time
}

// take gives a pod of a StatefulSet its turn, or says which pod has it. Its turn ends when its successor runs or is stuck.
func (o *ordinals) take(ctx context.Context, reader client.Reader, set types.UID, pod *corev1.Pod, now time.Time) (bool, string) {
	mine := turn{pod: client.ObjectKeyFromObject(pod), uid: pod.UID, since: now}
	current, free := o.claim(set, nil, mine)
	if free {
		return true, ""
	}
	if now.Sub(current.since).Abs() < ordinalTimeout && !isOver(ctx, reader, current) {
		return false, current.pod.Name
	}
	current, free = o.claim(set, &current, mine)
	return free, current.pod.Name
}

// claim puts a turn in the place of an old one, if that is still there.
func (o *ordinals) claim(set types.UID, old *turn, mine turn) (turn, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	current, taken := o.turns[set]
	if taken && current.pod == mine.pod && current.uid == mine.uid {
		return current, true
	}
	if taken && current.pod != mine.pod && (old == nil || *old != current) {
		return current, false
	}
	if o.turns == nil {
		o.turns = map[types.UID]turn{}
	}
	for other, t := range o.turns {
		if mine.since.Sub(t.since) > 2*ordinalTimeout {
			delete(o.turns, other)
		}
	}
	o.turns[set] = mine
	return mine, true
}

// isOver reports whether the pod whose turn it is needs it no more: it is not stuck any more, or its successor came and runs
// or is stuck in its turn.
func isOver(ctx context.Context, reader client.Reader, current turn) bool {
	var pod corev1.Pod
	if err := reader.Get(ctx, current.pod, &pod); err != nil {
		return false // gone, and its successor not there yet; or nobody knows
	}
	if pod.UID == current.uid {
		return pod.DeletionTimestamp == nil && !diagnosis.IsStuck(&pod)
	}
	return pod.Status.Phase != corev1.PodPending || diagnosis.IsStuck(&pod)
}
