// Package memo remembers what pure functions gave, within a bound: what is the same for many namespaces is computed once.
package memo

import "sync"

// heaviest is the part of the bound that one value may have. What is heavier is not remembered: nobody may fill the memory with a few.
const heaviest = 8

// Of remembers values by key. Its zero value remembers nothing.
type Of[K comparable, V any] struct {
	bound int
	weigh func(K, V) int
	mu    sync.Mutex
	// recent are the values that were asked for lately, and earlier those before: where recent is full, earlier is forgotten.
	recent, earlier map[K]V
	// weight is that of recent.
	weight int
}

// New returns a memo of values that weigh at most twice as much as bound, all together, in whatever unit weigh gives: bytes, where others
// decide how large a value is. What is asked for again stays, however many others there are in between, as long as those weigh less
// than bound.
func New[K comparable, V any](bound int, weigh func(K, V) int) *Of[K, V] {
	return &Of[K, V]{bound: bound, weigh: weigh}
}

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

// keep notes a value. The caller holds the mutex.
func (m *Of[K, V]) keep(key K, value V) {
	if m.bound <= 0 {
		return
	}
	weight := m.weigh(key, value)
	if weight > max(m.bound/heaviest, 1) {
		return
	}
	if _, known := m.recent[key]; known {
		return // another one computed the same
	}
	if m.recent == nil || m.weight+weight > m.bound {
		m.earlier, m.recent, m.weight = m.recent, make(map[K]V), 0
	}
	m.recent[key] = value
	m.weight += weight
}

// Forget forgets everything.
func (m *Of[K, V]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent, m.earlier, m.weight = nil, nil, 0
}
