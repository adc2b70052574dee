package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// write is one request that changes something, as it went to the API server.
type write struct {
	verb, resource, namespace, name string
	code                            int
	at                              time.Time
}

func (w write) String() string {
	return fmt.Sprintf("%s %s %s/%s: %d", w.verb, w.resource, w.namespace, w.name, w.code)
}

// traffic notes what the controllers write. Events are left out: they are sent when there is time.
type traffic struct {
	mu     sync.Mutex
	writes []write
}

// wrap is a transport that notes.
func (n *traffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		w, writes := writeOf(request)
		if !writes {
			return next.RoundTrip(request)
		}
		response, err := next.RoundTrip(request)
		if err == nil {
			w.code = response.StatusCode
		}
		w.at = time.Now()
		n.mu.Lock()
		defer n.mu.Unlock()
		n.writes = append(n.writes, w)
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// writeOf reads a request, and reports whether it changes something that these tests look at.
func writeOf(request *http.Request) (write, bool) {
	w := write{verb: request.Method}
	if w.verb == http.MethodGet || w.verb == http.MethodHead {
		return w, false
	}
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if parts[0] == "apis" {
		parts = parts[2:] // apis, group
	} else {
		parts = parts[1:] // api
	}
	parts = parts[1:] // version
	if len(parts) > 2 && parts[0] == "namespaces" {
		w.namespace, parts = parts[1], parts[2:]
	}
	w.resource = parts[0]
	if len(parts) > 1 {
		w.name = strings.Join(parts[1:], "/")
	}
	return w, w.resource != "events" && !strings.HasSuffix(w.resource, "reviews")
}

// all gives the writes so far that match.
func (n *traffic) all(matches func(write) bool) []write {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.writes), func(w write) bool { return !matches(w) })
}

// taken are the writes of one kind in one namespace that the API server took.
func (n *traffic) taken(resource, namespace string) []write {
	return n.all(func(w write) bool { return w.resource == resource && w.namespace == namespace && w.code < 300 })
}

func everyWrite(write) bool { return true }

// gate holds writes of one resource in one namespace back until it is opened.
type gate struct {
	mu                  sync.Mutex
	resource, namespace string
	opened              chan struct{}
}

func (g *gate) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		w, writes := writeOf(request)
		g.mu.Lock()
		waits := writes && g.opened != nil && w.resource == g.resource && w.namespace == g.namespace
		opened := g.opened
		g.mu.Unlock()
		if waits {
			select {
			case <-opened:
			case <-request.Context().Done():
				return nil, request.Context().Err()
			}
		}
		return next.RoundTrip(request)
	})
}

// shut holds writes back from now on. They go on when open is called, or the test ends.
func (g *gate) shut(t *testing.T, resource, namespace string) (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	opened := make(chan struct{})
	g.resource, g.namespace, g.opened = resource, namespace, opened
	open = sync.OnceFunc(func() { close(opened) })
	t.Cleanup(open)
	return open
}
