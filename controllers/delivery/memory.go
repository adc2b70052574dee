package delivery

import (
	"crypto/sha256"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// memories are what one process remembers of places. All of it can be lost: after a restart the counts of contests start again.
type memories struct {
	mu sync.Mutex
	m  map[delivered.Place]*memory
	// names counts the places by the name of their Secret: there are few, and a namespace that is gone is forgotten whole.
	names map[string]int
}

// memory of one place. The queue never hands a place to two workers at once, so it needs no lock.
type memory struct {
	// namespace that it speaks of: one that was recreated under the same name starts afresh.
	namespace types.UID
	// secret is what is remembered of the Secret, and accounts of ServiceAccounts that were written, by name: few are.
	secret   written
	accounts map[string]*written
	// away are the RegistryCredentials that do not select the namespace, and whose entries stay all the same, and those of a namespace that opted
	// out: until that ends, pods are created without the name.
	away map[string]bool
	// conflicts in a row.
	conflicts int
	// unsure are the RegistryCredentials of which it is not known when their entries changed: a write took long and failed. Perhaps it was carried out,
	// and dated by its begin.
	unsure []string
	// untold is what a write that failed was to take. Perhaps it did, and only the answer was lost.
	untold *untold
}

// goes notes that the entries of a RegistryCredential stay though new pods do not get the name.
func (m *memory) goes(credential string) {
	if m.away == nil {
		m.away = map[string]bool{}
	}
	m.away[credential] = true
}

// written is what is remembered of one object.
type written struct {
	trace   trace
	contest *contest
}

// contest is about one object: what it was last written for, and how often that was undone.
type contest struct {
	purpose [sha256.Size]byte
	written bool
	// left is the content that regcred left there, zero where it does not matter: a ServiceAccount is never written twice for one
	// purpose unless somebody changed it.
	left [sha256.Size]byte
	// at is when it was written last, and missed since when that is not there any more: zero where it is.
	at, missed time.Time
	// another says that what is to be written is not what was, which had stood for a while: nobody changed that back.
	another bool
	pullsecret.Contest
}

// standsFor is from when on an object that is deleted was not deleted because regcred wrote it: by what is deployed again and again, such as
// the hooks of a chart, or by who tidies up a namespace between two runs. Whoever answers to a write is faster.
const standsFor = 30 * time.Second

// meets notes what is to be written: an object, and when it was created, or none. That one is gone is seen when its end is told of.
func (c *contest) meets(there bool, created metav1.Time, now time.Time) {
	switch {
	case there && !created.After(c.at):
		c.missed = time.Time{}
	case c.missed.IsZero() && there:
		c.missed = created.Time
	case c.missed.IsZero():
		c.missed = now
	}
	c.another = c.missed.Sub(c.at) >= standsFor
}

func (m *memories) of(place delivered.Place, namespace types.UID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.m[place]
	if known != nil && known.namespace == namespace {
		return known
	}
	if m.m == nil {
		m.m, m.names = map[delivered.Place]*memory{}, map[string]int{}
	}
	if known == nil {
		m.names[place.Name]++
	}
	fresh := &memory{namespace: namespace}
	m.m[place] = fresh
	return fresh
}

// forget drops what is remembered of a place.
func (m *memories) forget(place delivered.Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(place)
}

// drop forgets a place. The caller holds the mutex.
func (m *memories) drop(place delivered.Place) {
	if m.m[place] == nil {
		return
	}
	delete(m.m, place)
	if m.names[place.Name]--; m.names[place.Name] == 0 {
		delete(m.names, place.Name)
	}
}

// forgetNamespace drops what is remembered of a namespace that is gone.
func (m *memories) forgetNamespace(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.names {
		m.drop(delivered.Place{Namespace: namespace, Name: name})
	}
}

// account is what is remembered of a ServiceAccount, for who is about to write it.
func (m *memory) account(name string) *written {
	if m.accounts == nil {
		m.accounts = map[string]*written{}
	}
	if m.accounts[name] == nil {
		m.accounts[name] = &written{}
	}
	return m.accounts[name]
}

// seen is the trace of a ServiceAccount, for who reads it. Of one that was not written there is none, and a read does not begin one.
func (m *memory) seen(name string) *trace {
	if known := m.accounts[name]; known != nil {
		return &known.trace
	}
	return &trace{}
}

// contested is the contest about an object that is about to be written.
func (w *written) contested() *contest {
	if w.contest == nil {
		w.contest = &contest{}
	}
	return w.contest
}

// undone reports whether somebody changed back what was written for the same purpose. Where the content is as it was left, it is
// written again for a reason of regcred's own, such as a new revision of the same value.
func (c *contest) undone(purpose, content [sha256.Size]byte) bool {
	return c.written && c.purpose == purpose && c.left != content && !c.another
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
	c.written, c.purpose, c.at = true, purpose, now
	c.missed, c.another = time.Time{}, false
}
