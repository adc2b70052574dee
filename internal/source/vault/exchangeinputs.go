package vault

import (
	"context"
	"sync"
	"time"

	"regcred.dev/regcred/internal/source"
)

const (
	// longestInput is how long at most an answer is kept that is still to be exchanged.
	longestInput = 10 * time.Minute
	// mostInputs is how many of them are kept, largestInput of how many bytes each at most.
	mostInputs, largestInput = 1000, 64 << 10
)

// inputs are answers of engines that the clouds did not exchange yet. They are kept, because each other read would make another user or
// principal, and that would be as new to the cloud. They are in memory alone: what is in them when the process ends is left to its end.
type inputs struct {
	mu sync.Mutex
	m  map[inputKey]*answer
	// unwanted are those that nobody asked for again: their leases are given back.
	unwanted []source.Lease
}

// inputKey is one object at one place: an answer of an engine has one owner, and each object has a salt of its own.
type inputKey struct {
	place source.Place
	salt  string
}

// take gives the answer that is still to be exchanged, nil where there is none.
func (i *inputs) take(key inputKey, now time.Time) *answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forget(now)
	kept := i.m[key]
	delete(i.m, key)
	return kept
}

// keep keeps an answer that has a lease.
func (i *inputs) keep(key inputKey, a *answer, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forget(now)
	if len(i.m) >= mostInputs || len(a.body) > largestInput {
		i.drop(key, a)
		return
	}
	if i.m == nil {
		i.m = map[inputKey]*answer{}
	}
	i.m[key] = a
}

// forget drops what nobody asked for in time. The caller holds the mutex.
func (i *inputs) forget(now time.Time) {
	for key, kept := range i.m {
		if now.Sub(kept.read.at) > longestInput {
			i.drop(key, kept)
		}
	}
}

// drop has the lease of an answer given back. The caller holds the mutex.
func (i *inputs) drop(key inputKey, a *answer) {
	delete(i.m, key)
	i.unwanted = append(i.unwanted, source.Lease{Connection: key.place.Server, ID: a.content.LeaseID})
}

// takeUnwanted gives the leases that are to be given back, each once.
func (i *inputs) takeUnwanted(now time.Time) []source.Lease {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forget(now)
	unwanted := i.unwanted
	i.unwanted = nil
	return unwanted
}

// giveBackUnwanted gives leases back. What fails ends at its own time.
func (m *Manager) giveBackUnwanted(ctx context.Context) {
	for _, lease := range m.inputs.takeUnwanted(m.options.Now()) {
		_ = m.Release(ctx, lease)
	}
}
