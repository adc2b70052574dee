package main

import (
	"cmp"
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// A fault says which requests go wrong, and how. Of several that match, the first counts.
type fault struct {
	// Which requests: all of these must hold; what is empty holds always.
	Registry      string `json:"registry,omitempty"`      // basic or token
	Repository    string `json:"repository,omitempty"`    // prefix of the repository's name
	Path          string `json:"path,omitempty"`          // prefix of the URL's path, as /v2/ or /token
	Method        string `json:"method,omitempty"`        // as HEAD
	User          string `json:"user,omitempty"`          // the user's name
	Authenticated bool   `json:"authenticated,omitempty"` // only requests that carry credentials: after the challenge
	Times         int    `json:"times,omitempty"`         // only so many requests; 0 means all

	// What happens: first the delay, then the first of these that is set. With none the request goes on as usual.
	DelaySeconds float64 `json:"delaySeconds,omitempty"`
	Hang         bool    `json:"hang,omitempty"`       // no answer until the client goes away
	Garbage      bool    `json:"garbage,omitempty"`    // an answer that is not HTTP
	RedirectTo   string  `json:"redirectTo,omitempty"` // Location; the status is 307 if none is set
	Status       int     `json:"status,omitempty"`

	// How an answer with a status looks. Without a body it is distribution's own error of that status.
	Body        string `json:"body,omitempty"`
	BodyBytes   int64  `json:"bodyBytes,omitempty"` // the body is filled up with spaces to this length
	ContentType string `json:"contentType,omitempty"`
	RetryAfter  string `json:"retryAfter,omitempty"` // seconds or an HTTP date
}

func (f *fault) matches(r *request) bool {
	return (f.Registry == "" || f.Registry == r.Registry) &&
		strings.HasPrefix(r.Repository, f.Repository) &&
		strings.HasPrefix(r.Path, f.Path) &&
		(f.Method == "" || f.Method == r.Method) &&
		(f.User == "" || f.User == r.User) &&
		(!f.Authenticated || (r.User != "" && r.User != anonymous))
}

// faults is the live list of faults.
type faults struct {
	mu   sync.Mutex
	list []fault
	used []int
}

func (f *faults) set(list []fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.used = list, make([]int, len(list))
}

func (f *faults) get() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]fault{}, f.list...)
}

// next returns the fault for a request and counts it as used, or nil.
func (f *faults) next(r *request) *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.list {
		one := f.list[i]
		if one.matches(r) && (one.Times == 0 || f.used[i] < one.Times) {
			f.used[i]++
			return &one
		}
	}
	return nil
}

// apply reports whether it has answered the request.
func (f *fault) apply(w http.ResponseWriter, r *http.Request) bool {
	if !wait(r, time.Duration(f.DelaySeconds*float64(time.Second))) {
		panic(http.ErrAbortHandler) // an end without an answer: otherwise the server answers 200
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Garbage:
		writeGarbage(w)
	case f.RedirectTo != "":
		w.Header().Set("Location", f.RedirectTo)
		w.WriteHeader(cmp.Or(f.Status, http.StatusTemporaryRedirect))
	case f.Status != 0:
		f.answer(w)
	default:
		return false
	}
	return true
}

// wait reports whether the client is still there afterwards.
func wait(r *http.Request, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (f *fault) answer(w http.ResponseWriter) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Body == "" && f.BodyBytes == 0 {
		writeError(w, f.Status)
		return
	}
	contentType := f.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	length := max(f.BodyBytes, int64(len(f.Body)))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(f.Status)
	// The client may close the connection at any point; that is its answer to a body that is too long.
	_, _ = io.WriteString(w, f.Body)
	_, _ = io.CopyN(w, spaces{}, length-int64(len(f.Body)))
}

// writeError answers with the code that distribution has for a status.
func writeError(w http.ResponseWriter, status int) {
	code := errcode.ErrorCodeUnknown
	switch status {
	case http.StatusUnauthorized:
		code = errcode.ErrorCodeUnauthorized
	case http.StatusForbidden:
		code = errcode.ErrorCodeDenied
	case http.StatusNotFound:
		code = errcode.ErrorCodeNameUnknown
	case http.StatusTooManyRequests:
		code = errcode.ErrorCodeTooManyRequests
	case http.StatusServiceUnavailable:
		code = errcode.ErrorCodeUnavailable
	}
	_ = errcode.ServeJSON(statusWriter{w, status}, code)
}

// statusWriter writes its own status, whatever it is told.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s statusWriter) WriteHeader(int) { s.ResponseWriter.WriteHeader(s.status) }

func writeGarbage(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer connection.Close()
	_, _ = io.CopyN(connection, rand.Reader, 512)
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
