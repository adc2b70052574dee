package box

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// A Fault says which requests to a registry go wrong, and how. Of several that match a request, the first counts.
type Fault struct {
	// Which requests: all of these must hold; what is empty holds always.
	Registry      string `json:"registry,omitempty"`      // basic or token
	Repository    string `json:"repository,omitempty"`    // prefix of the repository's name
	Path          string `json:"path,omitempty"`          // prefix of the URL's path, as /v2/ or /token
	Method        string `json:"method,omitempty"`        // as HEAD
	User          string `json:"user,omitempty"`          // the user's name
	Authenticated bool   `json:"authenticated,omitempty"` // only requests with credentials, so after the challenge
	Times         int    `json:"times,omitempty"`         // only so many requests; 0 means all

	// What happens: first the delay, then the first of these that is set. With none the request goes on as usual.
	DelaySeconds float64 `json:"delaySeconds,omitempty"`
	Hang         bool    `json:"hang,omitempty"`       // no answer until the client goes away
	Garbage      bool    `json:"garbage,omitempty"`    // an answer that is not HTTP
	RedirectTo   string  `json:"redirectTo,omitempty"` // URL; the status is 307 if none is set
	Status       int     `json:"status,omitempty"`

	// How an answer with a status looks. Without a body it is the registry's own error of that status.
	Body        string `json:"body,omitempty"`
	BodyBytes   int64  `json:"bodyBytes,omitempty"` // the body is filled up with spaces to this length
	ContentType string `json:"contentType,omitempty"`
	RetryAfter  string `json:"retryAfter,omitempty"` // seconds or an HTTP date
}

// SetFaults replaces all faults.
func (r *Registry) SetFaults(ctx context.Context, faults ...Fault) error {
	return r.call(ctx, http.MethodPut, "/faults", faults, nil)
}

// ClearFaults makes the registry work again. Requests that hang already go on hanging.
func (r *Registry) ClearFaults(ctx context.Context) error {
	return r.call(ctx, http.MethodDelete, "/faults", nil, nil)
}

// A Request is one request that a registry or its token server got.
type Request struct {
	Sequence   int64 // counts from 1 and is never used twice
	Time       time.Time
	Registry   string // basic or token
	Method     string
	Path       string
	Repository string // empty for /v2/ and /token
	Scope      string // what a token was asked for
	User       string // as claimed, even with a wrong password; Anonymous for a token that was had without credentials
	UserAgent  string
	Fault      bool // an injected fault took part
	Status     int  // 0 while there is no answer yet, and for ever where none was given
}

// Requests is what the registry remembers.
type Requests struct {
	Last     int64                  // sequence number of the last request, to ask for those after it
	Requests []Request              // oldest first, at most the last 20,000
	Counters map[string]map[int]int // user -> status -> number of answers, since the start or ClearRequests
}

// Requests returns the requests after a sequence number; 0 returns all.
func (r *Registry) Requests(ctx context.Context, since int64) (Requests, error) {
	var requests Requests
	err := r.call(ctx, http.MethodGet, fmt.Sprintf("/requests?since=%d", since), nil, &requests)
	return requests, err
}

// ClearRequests forgets the requests and their counters. Sequence numbers go on.
func (r *Registry) ClearRequests(ctx context.Context) error {
	return r.call(ctx, http.MethodDelete, "/requests", nil, nil)
}
