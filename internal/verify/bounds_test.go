package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/silentserver"
)

const gigabyte = 1 << 30

// flood answers a status and up to 1 GB, and counts what it could send.
func flood(w http.ResponseWriter, code int, sent *atomic.Int64) {
	w.WriteHeader(code)
	chunk := []byte(strings.Repeat("LEAKED ", 4<<10))
	for sent.Load() < gigabyte {
		n, err := w.Write(chunk)
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func TestAGigabyteIsNotRead(t *testing.T) {
	tests := []struct {
		name    string
		handler func(w http.ResponseWriter, r *http.Request, sent *atomic.Int64)
		reason  verify.Reason
		status  int
	}{
		{"after 200 for the ping", func(w http.ResponseWriter, _ *http.Request, sent *atomic.Int64) {
			flood(w, 200, sent)
		}, verify.LoginUnproven, 200},
		{"after 401 for the ping", func(w http.ResponseWriter, r *http.Request, sent *atomic.Int64) {
			if r.Header.Get("Authorization") == "" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				flood(w, 401, sent)
			}
		}, verify.LoginAccepted, 200},
		{"after 500 for the ping", func(w http.ResponseWriter, _ *http.Request, sent *atomic.Int64) {
			flood(w, 500, sent)
		}, verify.RegistryError, 500},
		{"after 400 for the ping", func(w http.ResponseWriter, _ *http.Request, sent *atomic.Int64) {
			flood(w, 400, sent)
		}, verify.RegistryError, 400},
		{"after 200 for a basic login", func(w http.ResponseWriter, r *http.Request, sent *atomic.Int64) {
			if r.Header.Get("Authorization") != "" {
				flood(w, 200, sent)
				return
			}
			basicRegistry(w, r)
		}, verify.LoginAccepted, 200},
		{"after 401 for a basic login", func(w http.ResponseWriter, r *http.Request, sent *atomic.Int64) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(401)
				return
			}
			flood(w, 401, sent)
		}, verify.LoginFailed, 401},
		{"for a token", func(w http.ResponseWriter, r *http.Request, sent *atomic.Int64) {
			tokenRegistry(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"token":"`)
				flood(w, 200, sent)
			})(w, r)
		}, verify.RegistryError, 200},
		{"after 401 for a token", func(w http.ResponseWriter, r *http.Request, sent *atomic.Int64) {
			tokenRegistry(func(w http.ResponseWriter, _ *http.Request) { flood(w, 401, sent) })(w, r)
		}, verify.LoginFailed, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sent atomic.Int64
			s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { tt.handler(w, r, &sent) })
			verifier := s.trusting()
			credential := newCredential(t, user, password)

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := verifier.Login(t.Context(), s.host, credential)
			runtime.ReadMemStats(&after)

			checkSafe(t, got)
			if got.Reason != tt.reason || got.StatusCode != tt.status {
				t.Errorf("%+v", got)
			}
			// All that was allocated by both sides, whether it was freed since or not.
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("%d bytes of memory", used)
			}
			// What was read, and what the kernel's buffers took.
			if sent.Load() > 64<<20 {
				t.Errorf("%d bytes were taken", sent.Load())
			}
		})
	}
}

func TestAGigabyteOfHeaderIsNotRead(t *testing.T) {
	var sent atomic.Int64
	s := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, err = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
		for line := []byte("X-Leaked: " + strings.Repeat("LEAKED ", 1<<10) + "\r\n"); err == nil && sent.Load() < gigabyte; {
			var n int
			n, err = conn.Write(line)
			sent.Add(int64(n))
		}
	})
	got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
	checkSafe(t, got)
	if got.Outcome != verify.Unknown || got.Reason != verify.Unreachable {
		t.Errorf("%+v", got)
	}
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes were taken", sent.Load())
	}
}

// The header counts as a whole, with what else is in it. What a registry of today sends is far below the bound.
func TestALongHeaderIsReadAndATooLongOneIsNot(t *testing.T) {
	for _, test := range []struct {
		bytes  int
		reason verify.Reason
	}{{32 << 10, verify.LoginAccepted}, {60 << 10, verify.LoginAccepted}, {68 << 10, verify.Unreachable}, {256 << 10, verify.Unreachable}} {
		s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", test.bytes))
			basicRegistry(w, r)
		})
		got := s.trusting().Login(t.Context(), s.host, newCredential(t, user, password))
		if got.Reason != test.reason {
			t.Errorf("of a header of %d bytes: %+v", test.bytes, got)
		}
	}
}

// drip sends a body byte by byte until the client goes away.
func drip(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
			if _, err := fmt.Fprint(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// hanging are registries that stop answering at one step.
var hanging = []struct {
	name    string
	handler func(stop http.HandlerFunc) http.HandlerFunc
	stop    http.HandlerFunc
	step    verify.Step
}{
	{"no answer to the ping", func(stop http.HandlerFunc) http.HandlerFunc { return stop }, silentserver.Handle, verify.StepPing},
	{"no answer to a basic login", func(stop http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				stop(w, r)
			}
			basicRegistry(w, r)
		}
	}, silentserver.Handle, verify.StepBasic},
	{"no answer to the request for a token", tokenRegistry, silentserver.Handle, verify.StepToken},
	{"a token that comes byte by byte", tokenRegistry, drip, verify.StepToken},
	{"no answer for the manifest", func(stop http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				stop(w, r)
			}
			basicRegistry(w, r)
		}
	}, silentserver.Handle, verify.StepHead},
}

func TestWhatHangsEndsInTime(t *testing.T) {
	for _, tt := range hanging {
		t.Run(tt.name, func(t *testing.T) {
			s := serveTLS(t, tt.handler(tt.stop))
			verifier := s.trusting(func(o *verify.Options) { o.Timeout = 300 * time.Millisecond })
			running := goleak.IgnoreCurrent()

			// What does not end on its own is ended here, so that it fails.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start := time.Now()
			got := verifier.Pull(ctx, s.host, newCredential(t, user, password), s.host+"/team/app:1", s.host+"/team/app:2")
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			for _, result := range got {
				checkSafe(t, result)
				if result.Outcome != verify.Unknown || result.Reason != verify.Timeout {
					t.Errorf("%+v", result)
				}
			}
			if len(got) != 2 {
				t.Errorf("%d results of 2 images", len(got))
			}
			nothingIsLeft(t, running)
		})
	}
}

func TestACallerCanGiveUpAtAnyStep(t *testing.T) {
	for _, tt := range hanging {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := serveTLS(t, tt.handler(func(w http.ResponseWriter, r *http.Request) {
				cancel()
				tt.stop(w, r)
			}))
			got := s.trusting().Pull(ctx, s.host, newCredential(t, user, password), s.host+"/team/app:1")[0]
			checkSafe(t, got)
			if got.Outcome != verify.Unknown || got.Reason != verify.Canceled || got.Step != tt.step {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A server that accepts a connection and then says nothing, not even TLS.
func TestASilentServerEndsInTime(t *testing.T) {
	listener := listen(t)
	verifier := verify.New(verify.Options{AllowLoopback: true, Timeout: 200 * time.Millisecond})
	got := verifier.Login(t.Context(), listener, newCredential(t, user, password))
	checkSafe(t, got)
	if got.Reason != verify.Timeout || got.Step != verify.StepPing {
		t.Errorf("%+v", got)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	s := serveTLS(t, tokenRegistry(honestToken))
	verifier := s.trusting()
	credential := newCredential(t, user, password)
	running := goleak.IgnoreCurrent()
	for range 10 {
		if got := verifier.Pull(t.Context(), s.host, credential, s.host+"/team/app:1"); got[0].Outcome != verify.Valid {
			t.Fatalf("%+v", got)
		}
	}
	nothingIsLeft(t, running)
}
