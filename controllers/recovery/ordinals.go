package recovery

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// ordinalTimeout is how long the successor of a restarted pod may take before the next ordinal is served all the same.
const ordinalTimeout = 60 * time.Second

// ordinals let one pod of a StatefulSet be restarted at a time. They live in memory: after a restart of the operator at most one
// more pod of a StatefulSet is under way.
type ordinals struct {
	mu    sync.Mutex
	under map[types.UID]ordinal
}

type ordinal struct {
	pod  types.NamespacedName
	uid  types.UID
	time time.Time
}

func (o *ordinals) restarted(set types.UID, pod *corev1.Pod, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.under == nil {
		o.under = map[types.UID]ordinal{}
	}
	o.under[set] = ordinal{pod: client.ObjectKeyFromObject(pod), uid: pod.UID, time: now}
}

// busy names the pod of a StatefulSet that was restarted and whose successor is not up yet, empty where there is none.
func (o *ordinals) busy(ctx context.Context, reader client.Reader, set types.UID, pod *corev1.Pod, now time.Time) string {
	o.mu.Lock()
	last, known := o.under[set]
	o.mu.Unlock()
	if !known || last.pod == client.ObjectKeyFromObject(pod) {
		return ""
	}
	if now.Sub(last.time) < ordinalTimeout && !settled(ctx, reader, last) {
		return last.pod.Name
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.under[set] == last {
		delete(o.under, set)
	}
	return ""
}

// settled reports whether the successor of a restarted pod runs, or hangs in its turn.
func settled(ctx context.Context, reader client.Reader, last ordinal) bool {
	var successor corev1.Pod
	if err := reader.Get(ctx, last.pod, &successor); err != nil {
		return !apierrors.IsNotFound(err) && ctx.Err() == nil && apierrors.IsForbidden(err)
	}
	return successor.UID != last.uid && (successor.Status.Phase != corev1.PodPending || diagnosis.IsStuck(&successor))
}
