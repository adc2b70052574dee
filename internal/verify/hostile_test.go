package verify_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/verify"
)

// Answers that are small and hard to read: they fit into every bound of bytes.
func TestAnAnswerThatIsHardToReadEndsInTime(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"a challenge with ten thousand parameters", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Bearer "+strings.Repeat(`a="b",`, 10_000)+`realm="https://127.0.0.1/"`)
			w.WriteHeader(http.StatusUnauthorized)
		}},
		{"a challenge of quotes and backslashes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+strings.Repeat(`\"`, 25_000)+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		}},
		{"ten thousand challenges", func(w http.ResponseWriter, _ *http.Request) {
			for range 2_000 {
				w.Header().Add("WWW-Authenticate", `Basic realm="x"`)
			}
			w.WriteHeader(http.StatusUnauthorized)
		}},
		{"informational answers without end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.WriteHeader(http.StatusEarlyHints)
			}
		}},
		{"a token deep in arrays", tokenRegistry(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"token":%s%s}`, strings.Repeat("[", 30_000), strings.Repeat("]", 30_000))
		})},
		{"redirects to itself without end", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }},
		{"a redirect to a host that only begins like it", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+".evil.example/v2/", http.StatusTemporaryRedirect)
		}},
		{"a redirect with a user in its address", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"@169.254.169.254/v2/", http.StatusTemporaryRedirect)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serveTLS(t, test.handler)
			const limit = 5 * time.Second
			began := time.Now()
			got := s.trusting(func(o *verify.Options) { o.Timeout = limit }).Pull(t.Context(), s.host, newCredential(t, user, password), s.host+"/team/app:1")
			checkSafe(t, got[0])
			if took := time.Since(began); took > 4*limit { // of a busy machine
				t.Errorf("it took %s", took)
			}
			if got[0].Outcome != verify.Unknown || s.authenticated() > 1 {
				t.Errorf("%+v, and the credential was shown %d times: %.300q", got[0], s.authenticated(), s.asked())
			}
		})
	}
}
