package integration

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/internal/watchdog"
)

// silencer makes watches go silent: they stay open, and nothing comes any more.
type silencer struct {
	mu      sync.Mutex
	watches []*atomic.Bool
}

func (s *silencer) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil || request.URL.Query().Get("watch") == "" {
			return response, err
		}
		silent := &atomic.Bool{}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watches = append(s.watches, silent)
		response.Body = &muffled{ReadCloser: response.Body, ctx: request.Context(), silent: silent}
		return response, nil
	})
}

// silence is for the watches that there are. Those that begin later are heard.
func (s *silencer) silence() (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, watch := range s.watches {
		watch.Store(true)
	}
	return len(s.watches)
}

type muffled struct {
	io.ReadCloser
	ctx    context.Context
	silent *atomic.Bool
}

func (m *muffled) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if m.silent.Load() {
		<-m.ctx.Done()
		return 0, m.ctx.Err()
	}
	return n, err
}

// silentWatches loses every watch without a word. What happened meanwhile is seen all the same.
func silentWatches(t *testing.T, rig *deliveryRig) {
	const silence = 3 * time.Second
	values, hush := &shelf{}, &silencer{}
	rig.start(t, runOptions{shelf: values, transport: func(next http.RoundTripper) http.RoundTripper {
		return new(watchdog.Watchdog).EndSilentWatches(silence)(hush.wrap(next))
	}})
	team := rig.team(t, map[string]string{"silence": "yes"})
	values.put("silence", "one")
	rig.credential(t, "silence", "registry.example", withLabels("silence", "yes"))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })

	if hush.silence() == 0 {
		t.Fatal("there is no watch")
	}
	if err := rig.admin.Delete(t.Context(), theirSecret(team)); err != nil {
		t.Fatal(err)
	}
	fresh := rig.team(t, map[string]string{"silence": "yes"})
	eventually(t, "the Secret is back", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	eventually(t, "the new namespace is served", func(ctx context.Context) error { return rig.served(ctx, fresh, "registry.example", "one") })
}
