package watchdog

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

func init() { ctrl.SetLogger(zap.New(zap.WriteTo(io.Discard))) }

type queue = workqueue.TypedRateLimitingInterface[string]

// rig is a real controller with a real queue, and a Reconcile that waits until it is told how to end.
type rig struct {
	dog   *Watchdog
	ahead atomic.Int64 // of the real clock
	queue queue
	begun chan string
	ends  chan error
}

func newRig() *rig {
	r := &rig{begun: make(chan string), ends: make(chan error)}
	r.dog = &Watchdog{now: func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }}
	return r
}

func startRig(t *testing.T, workers int) *rig {
	t.Helper()
	r := newRig()
	o := options(r.dog, Spec{Name: "test", Workers: workers, BackOffStart: time.Millisecond}, reconcile.TypedFunc[string](r.reconcile))
	o.SkipNameValidation = ptr.To(true)
	c, err := controller.NewTypedUnmanaged("test", o)
	if err != nil {
		t.Fatal(err)
	}
	queues := make(chan queue, 1)
	if err := c.Watch(source.TypedFunc[string](func(_ context.Context, q queue) error { queues <- q; return nil })); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		close(r.ends)
		if err := <-ended; err != nil {
			t.Errorf("the controller: %v", err)
		}
	})
	r.queue = <-queues
	return r
}

// reconcile begins when the test takes notice, so that an end goes to one that the test knows to have begun. After that it does not look at its context:
// that is the fault to be found.
func (r *rig) reconcile(ctx context.Context, item string) (reconcile.Result, error) {
	select {
	case r.begun <- item:
	case <-ctx.Done():
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, <-r.ends
}

// after makes sure of what the probe says when that much time has passed since the start.
func (r *rig) after(t *testing.T, wait time.Duration, want string) {
	t.Helper()
	r.ahead.Store(int64(wait))
	err := r.dog.Check(nil)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("after %s the probe says %v, want %q", wait, err, want)
	}
	if stalled := r.dog.Stalled(); (stalled == 1) != (want != "") {
		t.Errorf("after %s %d controllers are said to stand still, and the probe says %v", wait, stalled, err)
	}
}

// working waits until just this item is worked on.
func (r *rig) working(t *testing.T, item string) {
	t.Helper()
	one := r.dog.watched[0]
	running := func() []any {
		one.mu.Lock()
		defer one.mu.Unlock()
		return slices.Collect(maps.Keys(one.running))
	}
	for end := time.Now().Add(10 * time.Second); !slices.Equal(running(), []any{item}); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("worked on are %v, want only %s", running(), item)
		}
	}
}

func TestAnIdleControllerIsWell(t *testing.T) {
	r := startRig(t, 1)
	r.after(t, 0, "")
	r.after(t, time.Hour, "")
}

func TestAControllerOfAStandbyIsWell(t *testing.T) {
	r := newRig()
	_ = options(r.dog, Spec{Name: "test", Workers: 1}, reconcile.TypedFunc[string](r.reconcile)) // never started
	r.after(t, 0, "")
	r.after(t, time.Hour, "")
}

func TestAStalledQueueFailsTheProbeUntilItMoves(t *testing.T) {
	r := startRig(t, 2)
	r.queue.Add("a")
	r.queue.Add("b")
	r.queue.Add("c")
	<-r.begun
	<-r.begun
	r.after(t, 0, "")
	r.after(t, 2*Timeout-5*time.Second, "")
	r.after(t, 2*Timeout, "controller test: a, b: runs for more than 1m0s")
	r.ends <- nil
	r.ends <- nil
	<-r.begun
	r.working(t, "c") // the other one may not yet have returned all the way
	r.after(t, 4*Timeout-5*time.Second, "")
}

func TestOneReconcileThatNeverEndsFailsTheProbeThoughOthersMove(t *testing.T) {
	r := startRig(t, 2)
	r.queue.Add("stuck")
	<-r.begun
	for _, item := range []string{"a", "b", "c"} {
		r.queue.Add(item)
		<-r.begun
		select { // either of the two ends; the other one goes on
		case r.ends <- nil:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody works")
		}
	}
	r.after(t, 2*Timeout, "runs for more than")
}

func TestWorkThatNobodyTakesFailsTheProbe(t *testing.T) {
	r := newRig()
	o := options(r.dog, Spec{Name: "test", Workers: 1, BackOffStart: time.Millisecond}, reconcile.TypedFunc[string](r.reconcile))
	r.queue = o.NewQueue("test", o.RateLimiter)
	t.Cleanup(r.queue.ShutDown)
	r.after(t, 0, "")
	r.queue.Add("a")
	r.queue.Add("b")
	r.after(t, time.Hour, "") // it was idle before: the hour does not count
	r.after(t, time.Hour+2*Timeout-time.Second, "")
	r.after(t, time.Hour+2*Timeout, "controller test: 2 items wait")
	r.queue.AddAfter("c", time.Hour)
	r.after(t, time.Hour+2*Timeout, "2 items wait")
}

func TestWorkThatFailsIsNoReason(t *testing.T) {
	r := startRig(t, 1)
	r.queue.Add("a")
	r.queue.Add("b")
	for i := range 10 {
		<-r.begun
		r.after(t, time.Duration(i)*(2*Timeout-10*time.Second), "") // another item waits always
		r.ends <- errors.New("Vault is down")
	}
}

// Of several workers one is at work at each moment, and more items wait than they take: each that ends shows that the controller lives.
func TestABusyControllerWhoseWorkersAreNeverAllIdleLives(t *testing.T) {
	start := time.Unix(0, 0)
	p := &pulse{name: "test", running: map[any]time.Time{}, waiting: func() int { return 1000 }}
	p.begin(0, start)
	for i := range 20 {
		now := start.Add(time.Duration(i) * Timeout)
		p.begin(i+1, now)
		if err := p.check(now); err != nil {
			t.Fatalf("after %s: %v", now.Sub(start), err)
		}
		p.end(i)
	}
}

func TestEveryReconcileEndsAndEveryBackOffToo(t *testing.T) {
	var left time.Duration
	done := make(chan struct{})
	o := options(nil, Spec{Name: "test", Workers: 1, BackOffStart: time.Millisecond}, reconcile.TypedFunc[string](
		func(ctx context.Context, _ string) (reconcile.Result, error) {
			defer close(done)
			if deadline, ok := ctx.Deadline(); ok {
				left = time.Until(deadline)
			}
			return reconcile.Result{}, nil
		}))
	for range 100 {
		if wait := o.RateLimiter.When("a"); wait > 2*time.Minute {
			t.Fatalf("it waits for %s", wait)
		}
	}
	o.SkipNameValidation = ptr.To(true)
	c, err := controller.NewTypedUnmanaged("test", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Watch(source.TypedFunc[string](func(_ context.Context, q queue) error { q.Add("a"); return nil })); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	<-done
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if left <= 0 || left > 30*time.Second {
		t.Errorf("a Reconcile has %s", left)
	}
}
