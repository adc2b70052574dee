package delivery

import (
	"crypto/sha256"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// memories are what one process remembers of places. All of it can be lost: after a restart the counts of contests start again.
type memories struct {
	mu sync.Mutex
	// m by namespace and name of the Secret: a namespace that is gone is forgotten whole.
	m map[string]map[string]*memory
}

// memory of one place. The queue never hands a place to two workers at once, so it needs no lock.
type memory struct {
	// namespace that it speaks of: one that was recreated under the same name starts afresh.
	namespace types.UID
	// contests and traces by object: "" for the Secret, else the name of a ServiceAccount.
	contests map[string]*contest
	traces   map[string]*trace
	// conflicts in a row.
	conflicts int
}

// contest is about one object: what it was last written for, and how often that was undone.
type contest struct {
	purpose [sha256.Size]byte
	written bool
	// left is the content that regcred left there, zero where it does not matter: a ServiceAccount is never written twice for one
	// purpose unless somebody changed it.
	left [sha256.Size]byte
	pullsecret.Contest
}

func (m *memories) of(place delivered.Place, namespace types.UID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.m[place.Namespace][place.Name]; known != nil && known.namespace == namespace {
		return known
	}
	if m.m == nil {
		m.m = map[string]map[string]*memory{}
	}
	if m.m[place.Namespace] == nil {
		m.m[place.Namespace] = map[string]*memory{}
	}
	fresh := &memory{namespace: namespace, contests: map[string]*contest{}, traces: map[string]*trace{}}
	m.m[place.Namespace][place.Name] = fresh
	return fresh
}

// forget drops what is remembered of a place.
func (m *memories) forget(place delivered.Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if delete(m.m[place.Namespace], place.Name); len(m.m[place.Namespace]) == 0 {
		delete(m.m, place.Namespace)
	}
}

// forgetNamespace drops what is remembered of a namespace that is gone.
func (m *memories) forgetNamespace(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.m, namespace)
}

func (m *memory) contest(object string) *contest {
	if m.contests[object] == nil {
		m.contests[object] = &contest{}
	}
	return m.contests[object]
}

func (m *memory) trace(object string) *trace {
	if m.traces[object] == nil {
		m.traces[object] = &trace{}
	}
	return m.traces[object]
}

// undone reports whether somebody changed back what was written for the same purpose. Where the content is as it was left, it is
// written again for a reason of regcred's own, such as a new revision of the same value.
func (c *contest) undone(purpose, content [sha256.Size]byte) bool {
	return c.written && c.purpose == purpose && c.left != content
}

// mayWrite reports whether a write for this purpose is within bounds, and otherwise how long to wait. The first write for a
// purpose always is.
func (c *contest) mayWrite(purpose, content [sha256.Size]byte, now time.Time) (bool, time.Duration) {
	if !c.undone(purpose, content) {
		return true, 0
	}
	return c.MayRepair(now)
}

// note remembers a write.
func (c *contest) note(purpose, content [sha256.Size]byte, now time.Time) {
	if c.undone(purpose, content) {
		c.Repaired(now)
	}
	c.written, c.purpose = true, purpose
}
