// Package memo remembers what pure functions gave, within a bound: what is the same for many namespaces is computed once.
package memo

import "sync"

// Of remembers values by key. Its zero value remembers nothing.
type Of[K comparable, V any] struct {
	limit int
	mu    sync.Mutex
	// recent are the values that were asked for lately, and earlier those before: where recent is full, earlier is forgotten.
	recent, earlier map[K]V
}

// New returns a memo of at most twice as many values as limit. What is asked for again stays, however many others there are in between,
// as long as those are fewer than limit.
func New[K comparable, V any](limit int) *Of[K, V] { return &Of[K, V]{limit: limit} }

// Get gives the value of a key, and computes it where it is not remembered. Two who ask for the same key at once may both compute it, and
// all share what they are given: nobody may change it.
func (m *Of[K, V]) Get(key K, compute func() V) V {
	if value, known := m.Look(key); known {
		return value
	}
	value := compute()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(key, value)
	return value
}

// Look gives the value of a key if it is remembered.
func (m *Of[K, V]) Look(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, known := m.recent[key]; known {
		return value, true
	}
	value, known := m.earlier[key]
	if known {
		m.keep(key, value)
	}
	return value, known
}

func (m *Of[K, V]) keep(key K, value V) {
	if m.limit <= 0 {
		return
	}
	if m.recent == nil || len(m.recent) >= m.limit {
		m.earlier, m.recent = m.recent, make(map[K]V)
	}
	m.recent[key] = value
}

// Forget forgets everything.
func (m *Of[K, V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent, m.earlier = nil, nil
}
