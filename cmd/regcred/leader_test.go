package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
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
type timeouts map[string]time.Duration

// RoundTrip implements http.RoundTripper.
func (a timeouts) RoundTrip(request *http.Request) (*http.Response, error) {
	a[request.Method], _ = time.ParseDuration(request.URL.Query().Get("timeout")) // zero where it has none
	lease := `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"regcred.dev","namespace":"regcred-system"}}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(lease)), Request: request,
	}, nil
}

// write sends what changes a Secret.
func write(t *testing.T, client *http.Client) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://api.example/api/v1/namespaces/shop/secrets/regcred", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// What is sent after the lease may come after what the next leader wrote.
func TestALeaderWritesNothingPastItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := timeouts{}
		l, err := newLeadership(&rest.Config{Host: "https://api.example", Transport: asked}, &options{leaderElect: true, namespace: "regcred-system"})
		if err != nil {
			t.Fatal(err)
		}
		client, err := rest.HTTPClientFor(l.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(t, client); !errors.Is(err, fence.ErrClosed) {
			t.Errorf("without a lease: %v", err)
		}
		if err := l.lock.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: l.lock.Identity()}); err != nil {
			t.Fatal(err)
		}
		if err := write(t, client); err != nil {
			t.Errorf("with the lease: %v", err)
		}
		if lease := asked[http.MethodPost]; lease <= 0 || lease > renewDeadline/2 {
			t.Errorf("one request for the lease without an answer takes %s: there is no time for another", lease)
		}
		if wrote := asked[http.MethodPut]; wrote <= 0 || wrote > leaseDuration {
			t.Errorf("a write is given %s of a lease of %s", wrote, leaseDuration)
		}
		time.Sleep(renewDeadline)
		if err := write(t, client); !errors.Is(err, fence.ErrClosed) {
			t.Errorf("a write is begun %s after a renewal, when the leader gave up: %v", renewDeadline, err)
		}
	})
}

func TestTheManagerElectsByTheLockOfTheFence(t *testing.T) {
	o := &options{leaderElect: true, namespace: "regcred-system"}
	l, err := newLeadership(&rest.Config{Host: "https://api.example"}, o)
	if err != nil {
		t.Fatal(err)
	}
	manager := managerOptions(l, o)
	if manager.LeaderElectionResourceLockInterface != l.lock || *manager.LeaseDuration != leaseDuration || *manager.RenewDeadline != renewDeadline {
		t.Errorf("the manager elects by another lock, or for other times, than the fence: %+v", manager)
	}
	if !manager.LeaderElection || !manager.LeaderElectionReleaseOnCancel {
		t.Error("who stops keeps the lease, and the next one waits for its end")
	}
}

func TestTheOnlyReplicaElectsNobody(t *testing.T) {
	config := &rest.Config{Host: "https://api.example"}
	if l, err := newLeadership(config, &options{}); err != nil || l.fence != nil || l.lock != nil || l.config != config {
		t.Errorf("%+v, %v", l, err)
	}
}
