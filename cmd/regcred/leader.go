package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/telemetry"
)

// The lease. Whoever waits looks every 1 to 2.2 s, so a leader that died is followed after 12 to 16.4 s. The leader gives up, and its
// fence closes, 4 s before others may take over.
const (
	leaseName     = "regcred.dev"
	leaseDuration = 12 * time.Second
	renewDeadline = 8 * time.Second
	retryPeriod   = time.Second
)

// leadership is how replicas take turns. Without leader election there is no lock and no fence.
type leadership struct {
	fence *fence.Fence
	lock  resourcelock.Interface
	// config is for everything but the lease itself: writes ask the fence.
	config *rest.Config
}

func newLeadership(config *rest.Config, o *options) (*leadership, error) {
	if !o.leaderElect {
		return &leadership{config: config}, nil
	}
	l := &leadership{fence: fence.New(fence.Terms{Lease: leaseDuration, Write: renewDeadline})}
	lock, err := newLock(config, o.namespace)
	if err != nil {
		return nil, fmt.Errorf("leader election: %w", err)
	}
	l.lock = l.fence.Lock(lock)
	if l.config, err = l.fence.Wrap(config); err != nil {
		return nil, err
	}
	return l, nil
}

// newLock is the lease with a client of its own, which no fence holds. No events are written about it: the lease itself names its
// holder, and the last words of a leader would be written without a lease.
func newLock(config *rest.Config, namespace string) (resourcelock.Interface, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	own := rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	own.Timeout = renewDeadline / 2 // one request without an answer must not cost the lease
	leases, err := coordinationclient.NewForConfig(own)
	if err != nil {
		return nil, err
	}
	identity := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	return resourcelock.New(resourcelock.LeasesResourceLock, namespace, leaseName, nil, leases, identity)
}

// noFence stands for the fence where there is no leader election: all is sent.
type noFence struct{}

// Open implements [telemetry.Fence].
func (noFence) Open() bool { return true }

// Refused implements [telemetry.Fence].
func (noFence) Refused() uint64 { return 0 }

// fenceOf is the fence, or what stands for it.
func fenceOf(f *fence.Fence) telemetry.Fence {
	if f == nil {
		return noFence{}
	}
	return f
}

// fencedLeases revokes leases at Vault only as the leader: somebody else may have published what this replica holds for old.
// To prolong one harms nobody, but what it is then is kept by the leader alone.
type fencedLeases struct {
	source.Leases
	fence *fence.Fence
}

func (l fencedLeases) Release(ctx context.Context, lease source.Lease) error {
	if err := l.check(); err != nil {
		return err
	}
	return l.Leases.Release(ctx, lease)
}

func (l fencedLeases) Renew(ctx context.Context, lease source.Lease) (source.Lease, error) {
	if err := l.check(); err != nil {
		return source.Lease{}, err
	}
	return l.Leases.Renew(ctx, lease)
}

func (l fencedLeases) check() error {
	if l.fence == nil {
		return nil
	}
	return l.fence.Check()
}
