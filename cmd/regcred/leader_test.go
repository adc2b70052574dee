package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/source"
)

// releases counts what is given back.
type releases int

func (r *releases) Release(context.Context, source.Lease) error { *r++; return nil }

func (r *releases) Renew(_ context.Context, lease source.Lease) (source.Lease, error) {
	*r++
	return lease, nil
}

func TestOnlyTheLeaderGivesLeasesBackAndProlongsThem(t *testing.T) {
	for _, test := range []struct {
		name  string
		fence *fence.Fence
		want  releases
	}{
		{"a replica that never renewed the lease", fence.New(fence.Terms{Lease: 12 * time.Second, Write: 8 * time.Second}), 0},
		{"the only replica, which elects nobody", nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var given releases
			err := fencedLeases{&given, test.fence}.Release(t.Context(), source.Lease{ID: "robots/creds/a/1"})
			if given != test.want || (test.want == 0) != errors.Is(err, fence.ErrClosed) {
				t.Errorf("%d given back, %v", given, err)
			}
			given = 0
			_, err = fencedLeases{&given, test.fence}.Renew(t.Context(), source.Lease{ID: "robots/creds/a/1"})
			if given != test.want || (test.want == 0) != errors.Is(err, fence.ErrClosed) {
				t.Errorf("%d prolonged, %v", given, err)
			}
		})
	}
}

// timeouts are how long an API server is given for each kind of request.
type timeouts struct {
	mu    sync.Mutex
	given map[string]time.Duration
}

func (a *timeouts) of(method string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given[method]
}

func (a *timeouts) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.given[request.Method], _ = time.ParseDuration(request.URL.Query().Get("timeout")) // zero where it has none
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"regcred.dev","namespace":"regcred-system"}}`)
}

// What is sent after the lease may come after what the next leader wrote.
func TestALeaderWritesNothingPastItsLease(t *testing.T) {
	asked := &timeouts{given: map[string]time.Duration{}}
	server := httptest.NewServer(asked)
	t.Cleanup(server.Close)
	l, err := newLeadership(&rest.Config{Host: server.URL}, &options{leaderElect: true, namespace: "regcred-system"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(l.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	write := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/api/v1/namespaces/shop/secrets/regcred", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	if err := write(); !errors.Is(err, fence.ErrClosed) {
		t.Errorf("without a lease: %v", err)
	}
	if err := l.lock.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: l.lock.Identity()}); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Errorf("with the lease: %v", err)
	}
	if lease := asked.of(http.MethodPost); lease <= 0 || lease > renewDeadline/2 {
		t.Errorf("one request for the lease without an answer takes %s: there is no time for another", lease)
	}
	if wrote := asked.of(http.MethodPut); wrote <= renewDeadline || wrote > leaseDuration {
		t.Errorf("a write is given %s of a lease of %s", wrote, leaseDuration)
	}
	manager := managerOptions(l, &options{leaderElect: true, namespace: "regcred-system"})
	if manager.LeaderElectionResourceLockInterface != l.lock || *manager.LeaseDuration != leaseDuration || *manager.RenewDeadline != renewDeadline {
		t.Errorf("the manager elects by another lock, or for other times, than the fence: %+v", manager)
	}
	if !manager.LeaderElection || !manager.LeaderElectionReleaseOnCancel {
		t.Error("who stops keeps the lease, and the next one waits for its end")
	}
	terms := reflect.ValueOf(l.fence).Elem().FieldByName("terms")
	if begun := time.Duration(terms.FieldByName("Write").Int()); begun > renewDeadline {
		t.Errorf("writes are begun %s after a renewal, and the leader gives up after %s", begun, renewDeadline)
	}
}

func TestTheOnlyReplicaElectsNobody(t *testing.T) {
	config := &rest.Config{Host: "https://api.example"}
	if l, err := newLeadership(config, &options{}); err != nil || l.fence != nil || l.lock != nil || l.config != config {
		t.Errorf("%+v, %v", l, err)
	}
}
