package main

import (
	"net/http"
	"strings"
	"sync"
	"time"

	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/gorilla/mux"
)

// keptRequests bounds the memory that the list of recent requests takes.
const keptRequests = 20_000

// A request is what is remembered of one. It never holds a password or a token.
type request struct {
	Sequence   int64     `json:"sequence"` // counts from 1 and is never used twice
	Time       time.Time `json:"time"`
	Registry   string    `json:"registry"` // basic or token
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Repository string    `json:"repository,omitempty"`
	Scope      string    `json:"scope,omitempty"` // what a token was asked for
	User       string    `json:"user,omitempty"`  // as claimed: a wrong password does not empty it
	UserAgent  string    `json:"userAgent,omitempty"`
	Fault      bool      `json:"fault,omitempty"` // an injected fault took part
	Status     int       `json:"status"`          // 0 while there is no answer yet, and for ever where none was given
}

// requestLog keeps the most recent requests, and counts all of them.
type requestLog struct {
	mu       sync.Mutex
	last     int64
	recent   []*request
	counters map[string]map[int]int // user -> status -> number
}

func newRequestLog() *requestLog { return &requestLog{counters: map[string]map[int]int{}} }

func (l *requestLog) begin(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	r.Sequence = l.last
	l.recent = append(l.recent, r)
	if len(l.recent) > keptRequests {
		l.recent = l.recent[len(l.recent)-keptRequests:]
	}
}

func (l *requestLog) faulty(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Fault = true
}

// answered is called before the client can see the answer: whoever has seen it finds it counted.
func (l *requestLog) answered(r *request, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Status != 0 {
		return
	}
	r.Status = status
	if l.counters[r.User] == nil {
		l.counters[r.User] = map[int]int{}
	}
	l.counters[r.User][status]++
}

// requestList is the answer to GET /requests.
type requestList struct {
	Last     int64                  `json:"last"`     // sequence number of the last request
	Requests []request              `json:"requests"` // oldest first
	Counters map[string]map[int]int `json:"counters"` // user -> status -> number, since the start or the last DELETE
}

func (l *requestLog) since(sequence int64) requestList {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := requestList{Last: l.last, Requests: []request{}, Counters: map[string]map[int]int{}}
	for _, r := range l.recent {
		if r.Sequence > sequence {
			list.Requests = append(list.Requests, *r)
		}
	}
	for user, statuses := range l.counters {
		list.Counters[user] = map[int]int{}
		for status, number := range statuses {
			list.Counters[user][status] = number
		}
	}
	return list
}

func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent, l.counters = nil, map[string]map[int]int{}
}

// observe records every request of a registry and injects the faults.
func (s *state) observe(registry string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := describe(registry, r)
		s.requests.begin(seen)
		observed := &observedWriter{ResponseWriter: w, log: s.requests, request: seen}
		if fault := s.faults.next(seen); fault != nil {
			s.requests.faulty(seen)
			if fault.apply(observed, r) {
				return
			}
		}
		next.ServeHTTP(observed, r)
		if r.Context().Err() == nil {
			s.requests.answered(seen, http.StatusOK) // net/http's status for a handler that wrote nothing
		}
	})
}

func describe(registry string, r *http.Request) *request {
	seen := &request{
		Time: time.Now(), Registry: registry, Method: r.Method, Path: r.URL.Path, UserAgent: r.UserAgent(),
	}
	if r.URL.Path == "/token" {
		seen.User, _, _ = tokenCredentials(r)
		seen.Scope = strings.Join(r.Form["scope"], " ")
		return seen
	}
	var match mux.RouteMatch
	if v2.Router().Match(r, &match) {
		seen.Repository = match.Vars["name"]
	}
	seen.User, _, _ = r.BasicAuth()
	if subject, isBearer := bearerSubject(r); isBearer {
		seen.User = subject
	}
	return seen
}

// observedWriter notes the status before the client sees it.
type observedWriter struct {
	http.ResponseWriter
	log     *requestLog
	request *request
}

func (o *observedWriter) WriteHeader(status int) {
	if status >= 200 {
		o.log.answered(o.request, status)
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observedWriter) Write(p []byte) (int, error) {
	o.log.answered(o.request, http.StatusOK) // no effect after WriteHeader
	return o.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (o *observedWriter) Unwrap() http.ResponseWriter { return o.ResponseWriter }
