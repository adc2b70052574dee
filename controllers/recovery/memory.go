package recovery

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/internal/diagnosis"
)

// memories hold what was last said of each stuck pod, so that it is said once. All of it can be lost.
type memories struct {
	mu   sync.Mutex
	pods map[types.NamespacedName]memory
}

type memory struct {
	uid    types.UID
	action diagnosis.Action
	reason diagnosis.Reason
}

// news notes a verdict and reports whether it differs from the last one of this pod.
func (m *memories) news(pod types.NamespacedName, uid types.UID, verdict diagnosis.Verdict) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pods == nil {
		m.pods = map[types.NamespacedName]memory{}
	}
	said := memory{uid: uid, action: verdict.Action, reason: verdict.Reason}
	if m.pods[pod] == said {
		return false
	}
	m.pods[pod] = said
	return true
}

func (m *memories) forget(pod types.NamespacedName) (types.UID, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.pods[pod]
	delete(m.pods, pod)
	return known.uid, ok
}

func (m *memories) knows(pod types.NamespacedName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.pods[pod]
	return ok
}
