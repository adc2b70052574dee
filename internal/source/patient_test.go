package source

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// tarpit answers what is read through the connection "good" at once, and all else after a minute, with a failure.
type tarpit struct{}

func (tarpit) Read(_ context.Context, request Request) (Snapshot, error) {
	if request.Source.Vault.ConnectionName() == "good" {
		return Snapshot{}, nil
	}
	time.Sleep(time.Minute)
	return Snapshot{}, &Error{Reason: v1alpha1.ReasonUnavailable, Message: "no answer in time"}
}

func (tarpit) Release(context.Context, Lease) error { time.Sleep(time.Minute); return nil }

func (tarpit) Renew(_ context.Context, lease Lease) (Lease, error) {
	time.Sleep(time.Minute)
	return lease, nil
}

func readOf(connection, path string) Request {
	return Request{Source: v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: connection, Mount: "secret", Path: path}}}
}

// pool are the operator's workers and their queue. It notes how long what is good waits for one of them.
type pool struct {
	do    func(Request) error
	queue chan Request
	until time.Time

	mu      sync.Mutex
	due     time.Time // of the good one
	longest time.Duration
}

func (p *pool) work() {
	for request := range p.queue {
		good := request.Source.Vault.ConnectionName() == "good"
		if good {
			p.mu.Lock()
			p.longest = max(p.longest, time.Since(p.due))
			p.mu.Unlock()
		}
		wait := 30 * time.Second
		if fault := AsError(p.do(request)); fault != nil {
			wait = max(wait, fault.RetryAfter)
		}
		p.after(request, wait, good)
	}
}

// after puts a request into the queue again, until the time is over.
func (p *pool) after(request Request, wait time.Duration, good bool) {
	if time.Now().Add(wait).After(p.until) {
		return
	}
	time.AfterFunc(wait, func() {
		if good {
			p.mu.Lock()
			p.due = time.Now()
			p.mu.Unlock()
		} else if request.Source.Vault.Mount == "edited" {
			request = readOf(request.Source.Vault.Connection, request.Source.Vault.Path+"x")
			request.Source.Vault.Mount = "edited"
		}
		p.queue <- request
	})
}

// TestASlowSourceLetsOthersNotWait plays workers before a server that answers nothing, at which many places are read, and one that is well.
func TestASlowSourceLetsOthersNotWait(t *testing.T) {
	const workers, slow = 8, 40
	for _, mount := range []string{"secret", "edited"} {
		t.Run("slow places in "+mount, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reader := NewPatient(Mux{VaultMember(tarpit{})}, time.Now)
				p := &pool{queue: make(chan Request, 100), until: time.Now().Add(2 * time.Hour), due: time.Now()}
				p.do = func(request Request) error { _, err := reader.Read(t.Context(), request); return err }
				for n := range slow {
					request := readOf("bad", fmt.Sprint(n))
					request.Source.Vault.Mount = mount
					p.queue <- request
				}
				for range workers {
					go p.work()
				}
				time.Sleep(10 * time.Minute) // until it is known who is slow
				p.queue <- readOf("good", "a")
				p.mu.Lock()
				p.due, p.longest = time.Now(), 0
				p.mu.Unlock()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				close(p.queue)
				p.mu.Lock()
				defer p.mu.Unlock()
				if p.longest > 10*time.Second {
					t.Errorf("what is well waited %s for a worker", p.longest)
				}
			})
		})
	}
}

func TestLeasesAtASlowSourceWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := NewPatient(Mux{VaultMember(tarpit{})}, time.Now)
		var all sync.WaitGroup
		begin := func(count int) {
			for range count {
				all.Go(func() { _ = leases.Release(t.Context(), Lease{Connection: "bad"}) })
				all.Go(func() { _, _ = leases.Renew(t.Context(), Lease{Connection: "bad"}) })
			}
		}
		begin(1)
		all.Wait()
		began := time.Now()
		begin(10)
		all.Wait()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		if _, err := leases.Read(t.Context(), readOf("good", "a")); err != nil {
			t.Error(err)
		}
	})
}

// engines take minutes for what is done at "dead/", and nothing for all else, but to take leases back.
type engines struct{ tarpit }

func (engines) Release(context.Context, Lease) error { time.Sleep(time.Minute); return nil }

func (engines) Renew(_ context.Context, lease Lease) (Lease, error) {
	if strings.HasPrefix(lease.ID, "dead/") {
		time.Sleep(time.Minute)
	}
	return lease, nil
}

// A lease that is not prolonged in time costs another credential, and a write to every namespace.
func TestALeaseIsProlongedThoughOthersAreSlow(t *testing.T) {
	for name, slow := range map[string]func(context.Context, *Patient, string){
		"an engine is slow to prolong": func(ctx context.Context, p *Patient, _ string) {
			_, _ = p.Renew(ctx, Lease{ID: "dead/creds/a/1", Connection: "default"})
		},
		"leases of the same role are taken back late": func(ctx context.Context, p *Patient, id string) {
			_ = p.Release(ctx, Lease{ID: id, Connection: "default"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leases := NewPatient(Mux{VaultMember(engines{})}, time.Now)
				slow(t.Context(), leases, "robots/creds/a/0")
				for n := range 20 {
					go slow(t.Context(), leases, fmt.Sprintf("robots/creds/a/%d", n))
				}
				time.Sleep(time.Second)
				if _, err := leases.Renew(t.Context(), Lease{ID: "robots/creds/a/x", Connection: "default"}); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// A place that answers quickly again is read like all others.
func TestASourceThatIsQuickAgainIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := NewPatient(Mux{VaultMember(tarpit{})}, time.Now)
		for n := range 20 {
			_, _ = reader.Read(t.Context(), readOf("bad", fmt.Sprint(n)))
		}
		time.Sleep(2 * slowRemembered)
		var all sync.WaitGroup
		refused := 0
		var mu sync.Mutex
		for n := range 20 {
			all.Go(func() {
				if _, err := reader.Read(t.Context(), readOf("bad", fmt.Sprint(n))); AsError(err).RetryAfter > 0 {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if refused > 0 {
			t.Errorf("%d were refused", refused)
		}
		time.Sleep(2 * slowRemembered)
		_, _ = reader.Read(t.Context(), readOf("good", "a"))
		if kept := len(reader.slow); kept > 1 {
			t.Errorf("%d slow places are remembered for ever", kept)
		}
	})
}
