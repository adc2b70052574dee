package fence

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

var terms = Terms{Lease: 12 * time.Second, Write: 8 * time.Second}

// hands is a clock that a test sets, also while connections that it opened ask for the time.
type hands struct {
	mutex sync.Mutex
	at    moment
}

func (h *hands) now() moment {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.at
}

func (h *hands) pass(boot, wall time.Duration) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.at.boot += boot
	h.at.wall = h.at.wall.Add(wall)
}

func newFence() (*Fence, *hands) {
	clock := &hands{at: moment{boot: time.Hour, wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	f := New(terms)
	f.now = clock.now
	return f, clock
}

func TestTheFenceIsOpenForALimitedTimeAfterARenewal(t *testing.T) {
	for _, test := range []struct {
		name       string
		boot, wall time.Duration
		open       bool
	}{
		{"at once", 0, 0, true},
		{"just before its end", 7999 * time.Millisecond, 7999 * time.Millisecond, true},
		{"at its end", 8 * time.Second, 8 * time.Second, false},
		{"after the process was stopped for long", time.Minute, time.Minute, false},
		{"after the host paused the machine: only the wall clock knows", time.Second, time.Minute, false},
		{"after the wall clock was set back", 8 * time.Second, -time.Hour, false},
		{"after the wall clock was set back, in time", time.Second, -time.Hour, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, clock := newFence()
			if !errors.Is(f.Check(), ErrClosed) {
				t.Fatal("open before the first renewal")
			}
			f.renew(clock.now())
			clock.pass(test.boot, test.wall)
			if err := f.Check(); (err == nil) != test.open || f.Open() != test.open {
				t.Errorf("Check: %v, Open: %t, want open: %t", err, f.Open(), test.open)
			}
			refused := uint64(1) // before the first renewal
			if !test.open {
				refused++
			}
			if f.Refused() != refused {
				t.Errorf("%d refusals are counted, want %d: to look whether it is open is none", f.Refused(), refused)
			}
			f.renew(clock.now())
			if err := f.Check(); err != nil {
				t.Errorf("not open again after the next renewal: %v", err)
			}
		})
	}
}

func TestBothClocksRun(t *testing.T) {
	before := now()
	<-time.After(20 * time.Millisecond) // what is measured
	after := now()
	if boot := after.boot - before.boot; boot < 20*time.Millisecond || boot > 10*time.Second {
		t.Errorf("the clock since boot went on by %s", boot)
	}
	if since := after.since(before); since < 20*time.Millisecond || since > 10*time.Second {
		t.Errorf("%s passed", since)
	}
}

// shelf is a lease without an API server.
type shelf struct {
	identity string
	record   resourcelock.LeaderElectionRecord
	fails    error
	slow     func()
}

func (s *shelf) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record := s.record
	return &record, []byte(record.HolderIdentity), s.fails
}

func (s *shelf) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return s.Update(ctx, record)
}

func (s *shelf) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	if s.slow != nil {
		s.slow()
	}
	if s.fails == nil {
		s.record = record
	}
	return s.fails
}

func (s *shelf) RecordEvent(string) {}
func (s *shelf) Identity() string   { return s.identity }
func (s *shelf) Describe() string   { return s.identity }

var (
	us     = resourcelock.LeaderElectionRecord{HolderIdentity: "us"}
	others = resourcelock.LeaderElectionRecord{HolderIdentity: "others"}
	free   = resourcelock.LeaderElectionRecord{}
)

func TestRenewalsOpenTheFence(t *testing.T) {
	lost := errors.New("conflict")
	for _, test := range []struct {
		name string
		do   func(t *testing.T, lock *lock, lease *shelf, clock *hands)
		open bool
	}{
		{"a lease that is created", func(t *testing.T, lock *lock, _ *shelf, _ *hands) {
			must(t, lock.Create(t.Context(), us))
		}, true},
		{"a lease that is renewed", func(t *testing.T, lock *lock, _ *shelf, _ *hands) {
			must(t, lock.Update(t.Context(), us))
		}, true},
		{"a renewal that fails", func(t *testing.T, lock *lock, lease *shelf, _ *hands) {
			lease.fails = lost
			if !errors.Is(lock.Update(t.Context(), us), lost) {
				t.Error("the error was kept from the election")
			}
		}, false},
		{"a renewal whose answer comes too late counts from when it was sent", func(t *testing.T, lock *lock, lease *shelf, clock *hands) {
			lease.slow = func() { clock.pass(terms.Write, terms.Write) }
			must(t, lock.Update(t.Context(), us))
		}, false},
		{"a look that finds our lease", func(t *testing.T, lock *lock, _ *shelf, _ *hands) {
			must(t, lock.Update(t.Context(), us))
			look(t, lock)
		}, true},
		{"a look that finds the lease in other hands", func(t *testing.T, lock *lock, lease *shelf, _ *hands) {
			must(t, lock.Update(t.Context(), us))
			lease.record = others
			look(t, lock)
		}, false},
		{"a look that finds the lease in nobody's hands", func(t *testing.T, lock *lock, lease *shelf, _ *hands) {
			must(t, lock.Update(t.Context(), us))
			lease.record = free
			look(t, lock)
		}, false},
		{"a lease that is given back", func(t *testing.T, lock *lock, lease *shelf, _ *hands) {
			must(t, lock.Update(t.Context(), us))
			look(t, lock)
			lease.slow = func() {
				if !errors.Is(lock.fence.Check(), ErrClosed) {
					t.Error("the lease is given back while the fence is open")
				}
			}
			must(t, lock.Update(t.Context(), free))
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, clock := newFence()
			lease := &shelf{identity: "us"}
			test.do(t, f.Lock(lease).(*lock), lease, clock)
			if err := f.Check(); (err == nil) != test.open {
				t.Errorf("Check: %v, want open: %t", err, test.open)
			}
		})
	}
}

func look(t *testing.T, lock resourcelock.Interface) {
	t.Helper()
	_, _, err := lock.Get(t.Context())
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheLeaseOfANewLeaderIsNotGivenBack is what client-go does after a stop: it looks, and gives back what it sees.
func TestTheLeaseOfANewLeaderIsNotGivenBack(t *testing.T) {
	f, _ := newFence()
	lease := &shelf{identity: "us"}
	lock := f.Lock(lease)
	must(t, lock.Update(t.Context(), us))
	lease.record = others
	look(t, lock)
	if err := lock.Update(t.Context(), free); !errors.Is(err, errOthersLease) {
		t.Errorf("giving back: %v", err)
	}
	if lease.record.HolderIdentity != "others" {
		t.Errorf("the lease is %q's", lease.record.HolderIdentity)
	}
}

func TestTheLeaseIsGivenBackWhenNoWriteIsUnderWay(t *testing.T) {
	f, _ := newFence()
	lease := &shelf{identity: "us"}
	lock := f.Lock(lease)
	must(t, lock.Update(t.Context(), us))
	_, err := f.begin()
	must(t, err)

	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	if err := lock.Update(hurried, free); !errors.Is(err, context.Canceled) || lease.record.HolderIdentity != "us" {
		t.Errorf("given back while a write was under way: %v, holder %q", err, lease.record.HolderIdentity)
	}
	if !errors.Is(f.Check(), ErrClosed) {
		t.Error("whoever ends writes again, because it could not give the lease back")
	}
	given := make(chan error, 1)
	go func() { given <- lock.Update(t.Context(), free) }()
	f.end()
	must(t, <-given)
	if lease.record.HolderIdentity != "" {
		t.Errorf("the lease is still %q's", lease.record.HolderIdentity)
	}
}

// What the API server did not take says nothing of whose the lease is, and the renewal before counts as long as it would have.
func TestARenewalThatFailsChangesNothing(t *testing.T) {
	conflict := errors.New("conflict")
	f, clock := newFence()
	lease := &shelf{identity: "us"}
	lock := f.Lock(lease)
	must(t, lock.Update(t.Context(), us))
	clock.pass(terms.Write-time.Second, terms.Write-time.Second)
	lease.fails = conflict
	if err := lock.Update(t.Context(), us); !errors.Is(err, conflict) {
		t.Errorf("%v", err)
	}
	must(t, f.Check())
	if clock.pass(time.Second, time.Second); !errors.Is(f.Check(), ErrClosed) {
		t.Error("it counts as a renewal")
	}
	lease.fails = nil
	must(t, lock.Update(t.Context(), free)) // which is ours still

	lease.record = others
	look(t, lock)
	lease.fails = conflict
	if err := lock.Update(t.Context(), us); !errors.Is(err, conflict) {
		t.Errorf("%v", err)
	}
	lease.fails = nil
	if err := lock.Update(t.Context(), free); !errors.Is(err, errOthersLease) || lease.record.HolderIdentity != "others" {
		t.Errorf("the lease is %q's: %v", lease.record.HolderIdentity, err)
	}
}

// While writes end, the lease can end, too, and another replica takes it.
func TestALeaseThatOthersTookWhileWritesEndedIsNotGivenBack(t *testing.T) {
	f, _ := newFence()
	lease := &shelf{identity: "us"}
	lock := f.Lock(lease)
	must(t, lock.Update(t.Context(), us))
	_, err := f.begin()
	must(t, err)
	given := make(chan error, 1)
	go func() { given <- lock.Update(t.Context(), free) }()
	awaitWaiter(f)
	lease.record = others
	look(t, lock)
	f.end()
	if err := <-given; !errors.Is(err, errOthersLease) || lease.record.HolderIdentity != "others" {
		t.Errorf("the lease is %q's: %v", lease.record.HolderIdentity, err)
	}
}
