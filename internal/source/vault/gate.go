package vault

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstProbe = 2 * time.Second
	lastProbe  = 15 * time.Second
	// othersSpread is over how long those who did not probe come back, so that all are read within a minute after the
	// server is well, and not all at once.
	othersSpread = 30 * time.Second
	// longestPause bounds what a server may ask for with Retry-After.
	longestPause = 2 * time.Minute
)

// gate stands before all requests of a connection. While the server is well it is open. After a failure of the whole
// server it is shut: everybody gets that failure as the answer, and one at a time may pass to probe.
type gate struct {
	mu      sync.Mutex
	failure *failure // nil while open
	retryAt time.Time
	shut    int  // failures in a row
	probing bool // somebody has passed a shut gate and is not back yet
}

// enter lets the caller pass, or gives the failure that stands for the answer. probe means that the caller passes a shut
// gate. Whoever passes must call leave.
func (g *gate) enter(now time.Time) (probe bool, refused *failure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		return false, nil
	}
	if refused := g.refusal(now); refused != nil {
		return false, refused
	}
	g.probing = true
	return true, nil
}

// peek gives the failure that stands for the answer where nobody may pass now. It takes no turn: who gets nil has still to
// enter, and may be refused there, because another was quicker.
func (g *gate) peek(now time.Time) *failure {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refusal(now)
}

// refusal is the failure for those who may not pass, each with a wait of its own. The caller holds the mutex.
func (g *gate) refusal(now time.Time) *failure {
	if g.failure == nil || (!g.probing && !now.Before(g.retryAt)) {
		return nil
	}
	known := *g.failure
	known.wait = max(g.retryAt.Sub(now), 0) + spread(othersSpread)
	return &known
}

// leave tells what became of the caller: a failure of the whole server shuts the gate, an answer to a probe opens it.
func (g *gate) leave(now time.Time, probe bool, result *failure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	if result == nil || !result.wholeServer() {
		if probe {
			g.failure, g.shut = nil, 0
		}
		return
	}
	if !probe && g.failure != nil && now.Before(g.retryAt) {
		return // a straggler from before it was shut
	}
	g.failure = result
	wait := result.wait
	if wait == 0 {
		wait = min(firstProbe<<min(g.shut, 4), lastProbe)
		wait -= spread(wait / 4)
	}
	g.shut++
	g.retryAt = now.Add(min(wait, longestPause))
	result.wait = g.retryAt.Sub(now) + spread(othersSpread)
}

// spread is a random part of a wait.
func spread(wait time.Duration) time.Duration {
	if wait <= 0 {
		return 0
	}
	return rand.N(wait)
}
