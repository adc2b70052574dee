package recovery

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
)

// Limits bound how fast pods are acted on. Zero values stand for the defaults.
type Limits struct {
	// NodePullsPerSecond and NodeBurst bound the image pulls, counted in containers, that are caused on one node. Kubelets pull 5
	// a second with a burst of 10 by default (KubeletConfiguration registryPullQPS, registryBurst). Default to 2 and 5.
	NodePullsPerSecond float64
	NodeBurst          int
	// NamespacePodsPerMinute and PodsPerMinute bound the pods in any 60 seconds. Default to 50 and 500.
	NamespacePodsPerMinute int
	PodsPerMinute          int
}

// DefaultLimits are those that apply where nothing is set.
func DefaultLimits() Limits {
	return Limits{NodePullsPerSecond: 2, NodeBurst: 5, NamespacePodsPerMinute: 50, PodsPerMinute: 500}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.NodePullsPerSecond <= 0 {
		l.NodePullsPerSecond = d.NodePullsPerSecond
	}
	if l.NodeBurst <= 0 {
		l.NodeBurst = d.NodeBurst
	}
	if l.NamespacePodsPerMinute <= 0 {
		l.NamespacePodsPerMinute = d.NamespacePodsPerMinute
	}
	if l.PodsPerMinute <= 0 {
		l.PodsPerMinute = d.PodsPerMinute
	}
	return l
}

// staleReservation is when a time that was given out and not used is void.
const staleReservation = 10 * time.Second

// budget gives each pod a time from which it may be acted on. A pod keeps its time until it is used, so that those that wait are
// served in turn and do not wake each other.
type budget struct {
	mu         sync.Mutex
	due        map[types.UID]time.Time
	nodes      map[string]*rate.Limiter
	namespaces map[string]*window
	total      window
	swept      time.Time
}

// sweep forgets, once a minute, what bounds nothing any more: nodes and namespaces that were left alone, times that nobody used. Where the clock was
// set back, all times that were given out lie ahead: pods would wait for as long.
func (b *budget) sweep(now time.Time) {
	if b.swept.Sub(now) > time.Minute {
		b.due, b.nodes, b.namespaces, b.total, b.swept = nil, nil, nil, window{}, now
	}
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.due, func(_ types.UID, due time.Time) bool { return !now.Before(due.Add(staleReservation)) })
	maps.DeleteFunc(b.nodes, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) })
	maps.DeleteFunc(b.namespaces, func(_ string, w *window) bool {
		return len(w.times) == 0 || now.Sub(w.times[len(w.times)-1]) >= time.Minute
	})
}

// reserve returns when a pod may be acted on: now or later. The node comes first: the windows push further, and keep the distance
// that it set.
func (b *budget) reserve(limits Limits, uid types.UID, node, namespace string, containers int, now time.Time) time.Time {
	limits = limits.withDefaults()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	if due, known := b.due[uid]; known && now.Before(due.Add(staleReservation)) {
		return due
	}
	if b.due == nil {
		b.due, b.nodes, b.namespaces = map[types.UID]time.Time{}, map[string]*rate.Limiter{}, map[string]*window{}
	}
	if b.nodes[node] == nil {
		b.nodes[node] = rate.NewLimiter(rate.Limit(limits.NodePullsPerSecond), limits.NodeBurst)
	}
	if b.namespaces[namespace] == nil {
		b.namespaces[namespace] = &window{}
	}
	due := now.Add(b.nodes[node].ReserveN(now, min(containers, limits.NodeBurst)).DelayFrom(now))
	due = b.namespaces[namespace].free(limits.NamespacePodsPerMinute, due)
	due = b.total.free(limits.PodsPerMinute, due)
	b.namespaces[namespace].note(limits.NamespacePodsPerMinute, due)
	b.total.note(limits.PodsPerMinute, due)
	b.due[uid] = due
	return due
}

// release forgets a pod that was acted on, or does not need it any more.
func (b *budget) release(uid types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.due, uid)
}

// window holds the last times that were given out, as many as may lie within one minute, in their order.
type window struct{ times []time.Time }

// free is the first time, not before wanted, that keeps the limit in any minute.
func (w *window) free(limit int, wanted time.Time) time.Time {
	if len(w.times) < limit {
		return wanted
	}
	if earliest := w.times[0].Add(time.Minute); earliest.After(wanted) {
		return earliest
	}
	return wanted
}

func (w *window) note(limit int, at time.Time) {
	i := len(w.times)
	for i > 0 && w.times[i-1].After(at) {
		i--
	}
	w.times = append(w.times[:i], append([]time.Time{at}, w.times[i:]...)...)
	if len(w.times) > limit {
		w.times = w.times[len(w.times)-limit:]
	}
}
