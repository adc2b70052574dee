package exchange

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"
)

const (
	firstPause = 2 * time.Second
	lastPause  = time.Minute
	// forgotten is after what time a failure of a host is forgotten.
	forgotten = 10 * time.Minute
)

// asker is a login that is shown to a host. Many share the hosts of a cloud, and what is wrong with one login lets nobody else wait.
type asker struct {
	host string
	// login is a hash of what names the login, zero for all of them.
	login [sha256.Size]byte
}

// askerOf names a login by texts of which none holds a line break.
func askerOf(host string, login ...string) asker {
	return asker{host, sha256.Sum256([]byte(strings.Join(login, "\n")))}
}

// gates stand before the hosts of the clouds: one for all logins, and one for each. While a host gives no logins, everybody gets its last
// failure as the answer, and one at a time may try again; and so it is with a login that the host does not want to see.
type gates struct {
	mu sync.Mutex
	m  map[asker]shut
}

// shut is a gate that is shut.
type shut struct {
	until   time.Time
	failure *Error
	count   int // in a row
}

// enter gives the failure that stands for the answer, nil for whoever may ask. Who may ask must call leave.
func (g *gates) enter(who asker, now time.Time) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	passed := [...]asker{{host: who.host}, who}
	for _, gate := range passed {
		if known, is := g.m[gate]; is && now.Before(known.until) {
			failure := *known.failure
			failure.RetryAfter = known.until.Sub(now)
			return &failure
		}
	}
	for _, gate := range passed {
		if known, is := g.m[gate]; is {
			known.until = now.Add(timeout) // others wait for this one
			g.m[gate] = known
		}
	}
	return nil
}

// leave notes what became of a request. What is refused was answered.
func (g *gates) leave(who asker, now time.Time, result *Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate, open := asker{host: who.host}, who
	switch {
	case result == nil || errors.Is(result, ErrRefused):
		delete(g.m, gate)
		delete(g.m, who)
		return
	case result.ofLogin:
		gate, open = open, gate
	}
	delete(g.m, open)
	g.forget(now)
	known := g.m[gate]
	wait := max(min(firstPause<<min(known.count, 5), lastPause), result.RetryAfter)
	result.RetryAfter = wait
	g.m[gate] = shut{until: now.Add(wait), failure: result, count: known.count + 1}
}

// giveUp is leave for whoever did not wait for an answer, which says nothing: the next one may ask at once.
func (g *gates) giveUp(who asker, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, gate := range [...]asker{{host: who.host}, who} {
		if known, is := g.m[gate]; is {
			known.until = now
			g.m[gate] = known
		}
	}
}

// forget forgets old failures. The caller holds the mutex.
func (g *gates) forget(now time.Time) {
	for gate, known := range g.m {
		if now.Sub(known.until) > forgotten {
			delete(g.m, gate)
		}
	}
}
