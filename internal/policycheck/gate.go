package policycheck

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ErrNotFenced means that a Secret was not written, because the admission policies that bound the operator do not stand.
var ErrNotFenced = errors.New("not sent: the operator's admission policies have no effect, or it is not known whether they have: see config/README.md, \"The fence\"")

// NextStep says, where a Secret was not written for that, why and what a person can do.
const NextStep = "not written, because admission policies that limit the operator have no effect: kubectl describe vaultconnections says " +
	"which. Install the chart again, or apply config/default with its transformers and limits"

// patience is how long a write waits for the first round of probes after the start. One that said nothing ends the wait, too.
const patience = 10 * time.Second

// Gate lets writes of Secrets through while the policies stand. Its methods may be called by many goroutines.
type Gate struct {
	// Required is false with --require-fence=false: then the gate only reports.
	Required bool

	mu    sync.Mutex
	state State
	// asked is closed after the first round of probes.
	asked chan struct{}
	first sync.Once
}

// NewGate returns a gate that is closed until it is told that the policies stand.
func NewGate(required bool) *Gate { return &Gate{Required: required, asked: make(chan struct{})} }

// State is what was last found.
func (g *Gate) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}

// Set notes what was found, and reports whether that differs from before.
func (g *Gate) Set(state State) (changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed = !state.equal(g.state)
	g.state = state
	g.first.Do(func() { close(g.asked) })
	return changed
}

// Wrap makes a transport ask the gate before each write of a Secret.
func (g *Gate) Wrap(next http.RoundTripper) http.RoundTripper { return gated{g, next} }

type gated struct {
	gate *Gate
	next http.RoundTripper
}

// RoundTrip sends a request, unless it writes a Secret and the gate is closed.
func (t gated) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.gate.Required && writesSecret(request) && !t.gate.open(request) {
		if request.Body != nil {
			_ = request.Body.Close() // a RoundTripper closes it always
		}
		return nil, ErrNotFenced
	}
	return t.next.RoundTrip(request)
}

// WrappedRoundTripper is how client-go finds what cancels a request.
func (t gated) WrappedRoundTripper() http.RoundTripper { return t.next }

func (g *Gate) open(request *http.Request) bool {
	select {
	case <-g.asked: // as it is from the first seconds on
		return g.State().Standing()
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.asked:
	case <-request.Context().Done():
	case <-timer.C:
	}
	return g.State().Standing()
}

// writesSecret reports whether a request changes Secrets of core/v1. A dry run changes nothing.
func writesSecret(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	if strings.Contains(request.URL.RawQuery, "dryRun") && request.URL.Query().Get("dryRun") == "All" {
		return false
	}
	_, after, _ := strings.Cut(request.URL.Path, "/api/v1/namespaces/")
	_, inside, _ := strings.Cut(after, "/")
	resource, _, _ := strings.Cut(inside, "/")
	return resource == "secrets"
}
