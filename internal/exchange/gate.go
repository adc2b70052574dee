package exchange

import (
	"errors"
	"sync"
	"time"
)

const (
	firstPause = 2 * time.Second
	lastPause  = time.Minute
	// forgotten is after what time a failure of a host is forgotten.
	forgotten = 10 * time.Minute
)

// gates stand before the hosts of the clouds. While one gives no logins, everybody gets its last failure as the answer, and one at a time
// may try again.
type gates struct {
	mu sync.Mutex
	m  map[string]shut
}

// shut is a gate that is shut.
type shut struct {
	until   time.Time
	failure *Error
	count   int // in a row
}

// enter gives the failure that stands for the answer, nil for whoever may ask.
func (g *gates) enter(host string, now time.Time) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	known, is := g.m[host]
	switch {
	case !is:
		return nil
	case now.Before(known.until):
		failure := *known.failure
		failure.RetryAfter = known.until.Sub(now)
		return &failure
	}
	known.until = now.Add(timeout) // others wait for this one
	g.m[host] = known
	return nil
}

// leave notes what became of a request. What is refused was answered.
func (g *gates) leave(host string, now time.Time, result *Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if result == nil || errors.Is(result, ErrRefused) {
		delete(g.m, host)
		return
	}
	for other, known := range g.m {
		if now.Sub(known.until) > forgotten {
			delete(g.m, other)
		}
	}
	known := g.m[host]
	wait := max(min(firstPause<<min(known.count, 5), lastPause), result.RetryAfter)
	result.RetryAfter = wait
	g.m[host] = shut{until: now.Add(wait), failure: result, count: known.count + 1}
}
