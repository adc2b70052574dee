package operator

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/test/inmemory"
	"regcred.dev/regcred/test/manager"
)

// started is a cache that somebody else starts.
type started struct{ cache.Cache }

func (started) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// noneRun counts how often running pods are looked at.
type noneRun struct{ asked atomic.Int32 }

func (n *noneRun) Each(context.Context, string, string, func(podlist.Pod) bool) (bool, error) {
	n.asked.Add(1)
	return false, nil
}

// Who is told of deliveries in the place of values looks at all running pods for each namespace, and at none when a bad value is replaced.
func TestAValueThatReplacesABadOneHasRunningPodsLookedAt(t *testing.T) {
	cluster := inmemory.Cluster().Build()
	inner := manager.New(t, cluster)
	mgr := answered{inner, cached{cluster, inner.GetCache()}, &sent{}}
	p, err := New(t.Context(), mgr, Options{Namespace: "regcred-system", SecretNames: []string{"pull"}, ServiceAccountNames: []string{"builder"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	lists := &noneRun{}
	if err := p.addCuring(p.curing(Curing{Limits: recovery.DefaultLimits()}, started{inner.GetCache()}, lists)); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, inner)
	manager.Await(t, "running pods are looked at after the start", func() bool { return lists.asked.Load() == 1 })
	p.Pods.Note(types.NamespacedName{Namespace: "shop", Name: "web"}, "company")
	p.Changed.Notify("company")
	manager.Await(t, "they are looked at after a value took the place of a bad one", func() bool { return lists.asked.Load() == 2 })
}
