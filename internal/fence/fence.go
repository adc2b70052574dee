// Package fence keeps a replica from writing when it may no longer be the leader.
//
// Leader election alone does not: a process that was stopped, or that ran on a machine that slept, goes on where it was, and sends
// what it had in hand before it learns that its lease ended and somebody else works. So every write asks the fence, and is asked
// about once more when its bytes go to the kernel. The fence is open for a limited time after a renewal of the lease was begun, by
// clocks that run on while the process does not. See docs/design/decisions.md, "Process".
package fence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed means that something was not sent, because this replica may no longer be the leader.
var ErrClosed = errors.New("not sent: this replica holds no lease, or did not renew it in time, and another one may be the leader")

// Terms of a lease.
type Terms struct {
	// Lease is how long others wait after a renewal before they take over.
	Lease time.Duration
	// Write is how long after a renewal was begun writes are begun. What is left until the end of the lease is for writes that
	// are under way.
	Write time.Duration
}

// Fence is open while this replica surely is the leader. Its methods may be called by many goroutines.
type Fence struct {
	terms Terms
	now   func() moment

	mu      sync.Mutex
	open    bool
	renewed moment // when the last renewal that succeeded was begun
	flying  int    // writes under way
	refused uint64 // since the start
	landed  chan struct{}
}

// New returns a closed fence, which renewals of the lease open: see Lock.
func New(terms Terms) *Fence {
	return &Fence{terms: terms, now: now}
}

// Check gives ErrClosed when nothing may be sent.
func (f *Fence) Check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.check(f.now())
}

// check counts what it refuses.
func (f *Fence) check(at moment) error {
	if !f.opens(at) {
		f.refused++
		return ErrClosed
	}
	return nil
}

func (f *Fence) opens(at moment) bool { return f.open && at.since(f.renewed) < f.terms.Write }

// Open reports whether a write would be sent now. It is for those who watch: whoever writes asks Check.
func (f *Fence) Open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opens(f.now())
}

// Refused counts what was not sent since the start because the fence was closed.
func (f *Fence) Refused() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// begin lets a write through, and says how much is left of the lease. Whoever was let through must call end.
func (f *Fence) begin() (left time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.now()
	if err := f.check(at); err != nil {
		return 0, err
	}
	f.flying++
	return f.terms.Lease - at.since(f.renewed), nil
}

func (f *Fence) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying--
	if f.flying == 0 && f.landed != nil {
		close(f.landed)
		f.landed = nil
	}
}

// renew opens the fence for a renewal that was begun at a moment and succeeded.
func (f *Fence) renew(begun moment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.renewed = true, begun
}

// shut closes the fence until the next renewal.
func (f *Fence) shut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = false
}

// drain closes the fence and waits until no write is under way. The error is that of ctx.
func (f *Fence) drain(ctx context.Context) error {
	f.mu.Lock()
	f.open = false
	if f.flying == 0 {
		f.mu.Unlock()
		return nil
	}
	if f.landed == nil {
		f.landed = make(chan struct{})
	}
	landed := f.landed
	f.mu.Unlock()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("writes are still under way: %w", ctx.Err())
	}
}
