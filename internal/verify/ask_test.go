package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/silentserver"
)

// oddToken answers a wrong password as ECR and Google do.
func oddToken(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if loggedIn(r) {
			fmt.Fprint(w, `{"token":"good"}`)
			return
		}
		w.WriteHeader(code)
		fmt.Fprint(w, `LEAKED: bad credentials`)
	}
}

func (s *server) question(t *testing.T, password string, images ...string) verify.Question {
	t.Helper()
	q := verify.Question{Keys: []string{s.host}, Credential: newCredential(t, user, password)}
	for _, image := range images {
		q.Sampled = append(q.Sampled, s.host+"/"+image)
	}
	return q
}

func TestAsk(t *testing.T) {
	right := "correct-horse"
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		value   string
		inUse   string
		images  []string
		named   bool
		want    verify.Verdict
		proof   verify.Proof
		wantOld verify.Verdict
		shown   int // requests with a credential or a token
	}{
		{"a wrong password that a token service answers with 400", tokenRegistry(oddToken(400)), "wrong", right, nil, false, verify.ValueRejected, "", verify.ValueAccepted, 2},
		{"a wrong password that a token service answers with a 403 in text", tokenRegistry(oddToken(403)), "wrong", right, nil, false, verify.ValueRejected, "", verify.ValueAccepted, 2},
		{"400 for both", tokenRegistry(oddToken(400)), "wrong", "wrong too", nil, false, verify.ValueUnknown, "", verify.ValueUnknown, 2},
		{"a plain 401 needs no contrast", basicRegistry, "wrong", right, nil, false, verify.ValueRejected, "", "", 1},
		{"a good value needs no contrast", basicRegistry, right, "wrong", []string{"team/app:1"}, false, verify.ValueAccepted, verify.ProvenByPull, "", 2},
		{"an image that is gone", basicRegistry, right, "", []string{"team/gone:1"}, false, verify.ValueAccepted, verify.ProvenByLogin, "", 2},
		{"an open /v2/, and a token that an image that is gone tells how to get", openRegistry(tokenRegistry(honestToken)), right, "", []string{"team/gone:1"}, false, verify.ValueAccepted, verify.ProvenByLogin, "", 3},
		{"an open /v2/ that takes every password, and an image that is gone", openRegistry(basicRegistry), right, "", []string{"team/gone:1"}, false, verify.ValueUnknown, "", "", 2},
		{"a named image that is denied behind one that is gone", basicRegistry, right, "", []string{"team/gone:1", "other/app:1"}, true, verify.ValueRejected, "", "", 3},
		{"images that are denied to both, or gone", basicRegistry, right, right, []string{"other/app:1", "team/gone:1"}, false, verify.ValueAccepted, verify.ProvenByLogin, verify.ValueAccepted, 5},
		{"a refused login asks for no image", basicRegistry, "wrong", "", []string{"team/app:1"}, true, verify.ValueRejected, "", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serveTLS(t, test.handler)
			q := s.question(t, test.value, test.images...)
			if test.named {
				q.Named, q.Sampled = q.Sampled, nil
			}
			if test.inUse != "" {
				q.InUse = &verify.InUse{Keys: q.Keys, Credential: newCredential(t, user, test.inUse)}
			}
			got := s.trusting().Ask(t.Context(), q)
			if got.Verdict != test.want || got.Proof != test.proof || got.InUse != test.wantOld || s.authenticated() != test.shown {
				t.Errorf("got %+v\nasked %q", got, s.asked())
			}
			if text := fmt.Sprintf("%+v", got); strings.Contains(text, "LEAKED") || strings.Contains(text, "wrong too") || strings.Contains(text, right) || got.Message == "" {
				t.Errorf("shown: %s", text)
			}
		})
	}
}

// TestAForeignImageBehindAWildcardRejectsNothing has an image in use at a registry of somebody else's, which refuses every login.
func TestAForeignImageBehindAWildcardRejectsNothing(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "theirs.") {
			r.Header.Del("Authorization")
		}
		basicRegistry(w, r)
	})
	resolve(t, map[string]string{"ours.example.com": "127.0.0.1", "theirs.example.com": "127.0.0.1"})
	keys := []string{"*.example.com:" + s.port}
	ours, theirs := "ours.example.com:"+s.port+"/team/app:1", "theirs.example.com:"+s.port+"/team/app:1"
	inUse := &verify.InUse{Keys: keys, Credential: newCredential(t, user, password)}
	for _, test := range []struct {
		name   string
		value  string
		images []string
		want   verify.Verdict
	}{
		{"beside an image of our own", password, []string{ours, theirs}, verify.ValueAccepted},
		{"alone", password, []string{theirs}, verify.ValueUnknown},
		{"and our own registry refuses the value", "wrong", []string{ours, theirs}, verify.ValueRejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := verify.Question{Keys: keys, Credential: newCredential(t, user, test.value), InUse: inUse, Sampled: test.images}
			if got := s.trusting().Ask(t.Context(), q); got.Verdict != test.want {
				t.Errorf("got %+v, want %s", got, test.want)
			}
		})
	}
}

func TestADigestIsKeptOfWhatWasPulled(t *testing.T) {
	s := serveTLS(t, basicRegistry)
	got := s.trusting().Ask(t.Context(), s.question(t, password, "team/app:1"))
	if got.Digests[s.host+"/team/app:1"] != digest {
		t.Errorf("got %+v", got)
	}
}

func TestASilentImageDelaysNoOther(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/silent/") {
			silentserver.Handle(w, r)
		}
		basicRegistry(w, r)
	})
	q := s.question(t, password)
	q.Named = []string{s.host + "/a/silent/app:1", s.host + "/other/app:1"}
	brief := func(o *verify.Options) { o.Timeout = 2 * time.Second }
	if got := s.trusting(brief).Ask(t.Context(), q); got.Verdict != verify.ValueRejected {
		t.Errorf("got %+v", got)
	}
}

func TestASilentNewValueLeavesTimeForTheContrast(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u == user && p == "new" && strings.Contains(r.URL.Path, "/silent/") {
			silentserver.Handle(w, r)
		}
		if _, p, _ := r.BasicAuth(); p == "new" {
			r.SetBasicAuth(user, password)
			if strings.HasPrefix(r.URL.Path, "/v2/team/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
		}
		basicRegistry(w, r)
	})
	q := s.question(t, "new", "z/silent/app:1", "team/app:1")
	q.InUse = &verify.InUse{Keys: q.Keys, Credential: newCredential(t, user, password)}
	brief := func(o *verify.Options) { o.Timeout = 3 * time.Second }
	started := time.Now()
	got := s.trusting(brief).Ask(t.Context(), q)
	if got.Verdict != verify.ValueRejected || time.Since(started) > 4*time.Second {
		t.Errorf("got %+v after %v", got, time.Since(started))
	}
}

func TestAnAskEndsWithItsContext(t *testing.T) {
	s := serveTLS(t, silentserver.Handle)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	if got := s.trusting().Ask(ctx, s.question(t, password, "team/app:1")); got.Verdict != verify.ValueUnknown || time.Since(started) > 5*time.Second {
		t.Errorf("got %+v after %v", got, time.Since(started))
	}
}

func TestARegistryDoesNotDecideHowLongItIsLeftAlone(t *testing.T) {
	s := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if got := s.trusting().Ask(t.Context(), s.question(t, password)); got.Verdict != verify.ValueUnknown || got.RetryAfter != verify.MaxRetryAfter {
		t.Errorf("got %+v", got)
	}
}
