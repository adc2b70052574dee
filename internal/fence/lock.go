package fence

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

var errOthersLease = errors.New("the lease is another replica's by now, and is not given back in its name")

// Lock is a leader's lock whose renewals open the fence, and which closes it before the lease is given back.
func (f *Fence) Lock(inner resourcelock.Interface) resourcelock.Interface {
	return &lock{Interface: inner, fence: f}
}

type lock struct {
	resourcelock.Interface
	fence *Fence

	mu     sync.Mutex
	holder string // of the lease as it was seen last
}

// Get looks at the lease. If it is somebody else's, the fence is closed whatever the clocks say.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err != nil {
		return record, raw, err
	}
	l.saw(record.HolderIdentity)
	if record.HolderIdentity != l.Identity() {
		l.fence.shut()
	}
	return record, raw, nil
}

// Create takes a lease that did not exist.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.take(record, func() error { return l.Interface.Create(ctx, record) })
}

// Update takes, renews or gives back the lease.
//
// client-go gives back what it last knew to be its own, on top of what the server has: after a stop that is the lease of a new leader,
// who would lose it. So nothing is given back that was seen in other hands. Nor is it while writes are under way: the lease then ends
// on its own.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == l.Identity() {
		return l.take(record, func() error { return l.Interface.Update(ctx, record) })
	}
	if err := l.fence.drain(ctx); err != nil {
		return fmt.Errorf("the lease is not given back: %w", err)
	}
	if !l.holds() {
		return errOthersLease
	}
	return l.Interface.Update(ctx, record)
}

// take opens the fence when the lease was written. The time counts from before the request was sent, since others count from when they
// see its outcome.
func (l *lock) take(record resourcelock.LeaderElectionRecord, write func() error) error {
	begun := l.fence.now()
	if err := write(); err != nil {
		return err
	}
	l.saw(record.HolderIdentity)
	l.fence.renew(begun)
	return nil
}

func (l *lock) saw(holder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = holder
}

func (l *lock) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holder == l.Identity()
}
