package main

import (
	"net/http"
	"sync"
	"time"
)

// serverClock tells the API server's time. The API server dates the creation of pods, and these dates are compared with the times
// that regcred notes of its own changes: noted by another clock that is ahead, pods would be restarted for ever, and by one that is
// behind, never.
//
// Each answer carries the date in whole seconds, so that it only bounds how far the clocks are apart. The bounds of all answers
// together are narrow. While they allow that the clocks agree, they are taken to agree.
type serverClock struct {
	local func() time.Time

	mu sync.Mutex
	// known is true once there was an answer. The API server's clock is ahead of the local one by atLeast to atMost.
	known           bool
	atLeast, atMost time.Duration
}

// now is the API server's time, as far as it is known. It has no reading of the local monotonic clock: where the local clock was set right, the
// difference between both changes at once, and would move that reading, too. Then a wait that began before would last longer by as much.
func (c *serverClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local().Round(0).Add(min(max(0, c.atLeast), c.atMost))
}

// wrap is a transport that takes the time from each answer.
func (c *serverClock) wrap(next http.RoundTripper) http.RoundTripper { return datedTransport{c, next} }

type datedTransport struct {
	clock *serverClock
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t datedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := t.clock.local()
	response, err := t.next.RoundTrip(request)
	if err == nil {
		t.clock.learn(response.Header.Get("Date"), sent, t.clock.local())
	}
	return response, err
}

// WrappedRoundTripper is how client-go finds the connections.
func (t datedTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// learn narrows the bounds by one answer. An answer that contradicts the others shows that a clock was set, or that another API
// server has another time: then it alone counts.
func (c *serverClock) learn(date string, sent, received time.Time) {
	dated, err := http.ParseTime(date)
	if err != nil {
		return // something between here and there drops the header: the local clock is as good as any
	}
	atLeast, atMost := dated.Sub(received), dated.Add(time.Second).Sub(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	if narrower := max(atLeast, c.atLeast); c.known && narrower <= min(atMost, c.atMost) {
		atLeast, atMost = narrower, min(atMost, c.atMost)
	}
	c.known, c.atLeast, c.atMost = true, atLeast, atMost
}
