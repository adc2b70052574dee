package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// clocksAgree is how far this machine's clock may differ from the API server's without a word. That one tells whole seconds, and an answer
// takes time.
const clocksAgree = 5 * time.Second

// serverClock tells the time as the API server last did: whether a value has ended, and how old it is, does not depend on the clock of the
// machine at which somebody asks.
type serverClock struct{ ahead atomic.Int64 }

// now is this machine's time until the API server has answered.
func (c *serverClock) now() time.Time {
	if c == nil {
		return time.Now()
	}
	return time.Now().Add(-time.Duration(c.ahead.Load()))
}

// hear takes over what time an answer tells.
func (c *serverClock) hear(header http.Header, now time.Time) {
	said, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	ahead := now.Sub(said)
	if ahead.Abs() <= clocksAgree {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}

// listening has the clock hear each answer of the API server.
func (c *serverClock) listening(config *rest.Config) {
	config.Wrap(func(to http.RoundTripper) http.RoundTripper {
		return roundTrip(func(request *http.Request) (*http.Response, error) {
			answer, err := to.RoundTrip(request)
			if err == nil {
				c.hear(answer.Header, time.Now())
			}
			return answer, err
		})
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
