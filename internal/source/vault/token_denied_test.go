package vault

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// lookupOnce lets each token look itself up once, as its login has it do, and never again.
func lookupOnce(server *scripted) {
	var mu sync.Mutex
	seen := map[string]bool{}
	server.handle("/v1/auth/token/lookup-self", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		token := r.Header.Get("X-Vault-Token")
		known := seen[token]
		seen[token] = true
		mu.Unlock()
		if known {
			answers(403, `{"errors":["permission denied"]}`)(w, r)
			return
		}
		answers(200, `{"data":{"ttl":3600,"renewable":true}}`)(w, r)
	})
}

// Each new token dies at once, as where a node has not heard of it: two are tried in a read, and no more.
func TestTokensThatAllDieAreNotTriedForEver(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	lookupOnce(server)
	server.handle("/v1/secret/data/a", answers(403, `{"errors":["permission denied"]}`))
	rig := newRig(t, server.URL)
	failure := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	if failure.Stalled || failure.RetryAfter != renewPause || issued.Load() != 2 {
		t.Errorf("%d logins, %+v", issued.Load(), failure)
	}
}

func TestWhetherATokenLivesIsSaidByTheServerOrNotAtAll(t *testing.T) {
	for _, test := range []struct {
		name   string
		lookup http.HandlerFunc
		reason string
		logins int32
	}{
		{"it lives", answers(200, `{"data":{}}`), v1alpha1.ReasonPermissionDenied, 1},
		{"the server was sealed meanwhile", answers(503, `{"errors":["Vault is sealed"]}`), v1alpha1.ReasonSealed, 1},
		{"Vault fails", answers(500, `{"errors":[]}`), v1alpha1.ReasonUnavailable, 1},
		{"it is not answered as Vault does", answers(404, `{"errors":[]}`), v1alpha1.ReasonLoginFailed, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			issued := tokens(server, 3600, true)
			server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
			server.handle("/v1/secret/data/a", answers(403, `{"errors":["permission denied"]}`))
			rig := newRig(t, server.URL)
			rig.mustRead(atB)
			server.handle("/v1/auth/token/lookup-self", test.lookup)
			rig.mustFail(atKV2, test.reason)
			if issued.Load() != test.logins {
				t.Errorf("%d logins", issued.Load())
			}
		})
	}
}

// watched tells when somebody begins to wait for the end of a context.
type watched struct {
	context.Context
	waits func()
}

func (w watched) Done() <-chan struct{} {
	w.waits()
	return w.Context.Done()
}

func TestThoseWhoAreDeniedTogetherAskOnceWhetherTheTokenLives(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, true)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig.mustRead(atB)
	server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{}}`))
	before := len(server.requests("/v1/auth/token/lookup-self"))
	life := &rig.connections["default"].tokens
	if failure := life.takeTurn(t.Context()); failure != nil { // so that all of them wait before one asks
		t.Fatal(failure)
	}
	var waiting, ended sync.WaitGroup
	waiting.Add(readers)
	for range readers {
		ctx := watched{t.Context(), sync.OnceFunc(waiting.Done)}
		ended.Go(func() {
			if dead, failure := life.examine(ctx, life.present()); dead || failure != nil {
				t.Errorf("it is dead: %t, %v", dead, failure)
			}
		})
	}
	waiting.Wait()
	life.endTurn()
	ended.Wait()
	if asked := len(server.requests("/v1/auth/token/lookup-self")) - before; asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestATokenThatMayNotLookItselfUpIsReplacedNowAndThen(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	server.handle("/v1/secret/data/a", answers(403, `{}`))
	server.handle("/v1/auth/token/lookup-self", answers(403, `{}`))
	rig := newRig(t, server.URL)
	rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
	rig.pass(loginPause - 1)
	rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
	if issued.Load() != 1 {
		t.Errorf("%d logins within a minute", issued.Load())
	}
	rig.pass(1)
	server.handle("/v1/secret/data/a", onlyFor(answers(200, kv2Answer(goodData)), "token-2"))
	rig.mustRead(atKV2)
	if issued.Load() != 2 {
		t.Errorf("%d logins", issued.Load())
	}
}

// A login that is refused says nothing of the path, and the token may be good for others.
func TestATokenIsKeptWhereNoOtherIsToBeHad(t *testing.T) {
	for name, test := range map[string]struct {
		lookup http.HandlerFunc
		pass   time.Duration
	}{"it may look itself up": {answers(200, `{"data":{}}`), relogin}, "it may not": {answers(403, `{}`), loginPause}} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(403, `{}`))
			server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/lookup-self", test.lookup)
			counted := &ledger{}
			rig := newRig(t, server.URL, func(o *Options) { o.Metrics = counted })
			rig.mustRead(atB)
			server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
			rig.pass(test.pass)
			rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
			rig.mustRead(atB)
			if !slices.Contains(counted.entries, "login default appRole "+v1alpha1.ReasonLoginFailed) {
				t.Errorf("the login that was refused is not counted: %q", counted.entries)
			}
		})
	}
}

func TestAnotherLoginTakesThePlaceWhereItIsAllowedMore(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason string // empty: it is read
		takes  bool
	}{
		{"it reads", answers(200, kv2Answer(goodData)), "", true},
		{"it sees that nothing is there", answers(404, `{"errors":[]}`), v1alpha1.ReasonSecretNotFound, true},
		{"it is denied, too", answers(403, `{"errors":[]}`), v1alpha1.ReasonPermissionDenied, false},
		{"it meets a fault of Vault", answers(500, `{"errors":[]}`), v1alpha1.ReasonUnavailable, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			tokens(server, 36000, true)
			denied := answers(403, `{"errors":["permission denied"]}`)
			server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
			server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Vault-Token") == "token-1" {
					denied(w, r)
					return
				}
				test.answer(w, r)
			})
			rig := newRig(t, server.URL)
			rig.mustRead(atB)
			rig.pass(relogin)
			_, failure := rig.read(atKV2)
			if (failure == nil) != (test.reason == "") || failure != nil && failure.Reason != test.reason {
				t.Errorf("%+v", failure)
			}
			rig.mustRead(atB)
			all := server.requests("/v1/secret/data/b")
			if used := all[len(all)-1].Header.Get("X-Vault-Token"); used == "token-2" != test.takes {
				t.Errorf("%s is in use", used)
			}
		})
	}
}

func TestAnotherLoginIsTriedForATokenOfOursThatIsOldEnough(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	server.handle("/v1/secret/data/a", answers(403, `{"errors":["permission denied"]}`))
	rig := newRig(t, server.URL)
	for _, test := range []struct {
		pass   time.Duration
		logins int32
	}{{0, 1}, {relogin - 1, 1}, {1, 2}, {0, 2}, {relogin - 1, 2}, {1, 3}} {
		rig.pass(test.pass)
		if rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied); issued.Load() != test.logins {
			t.Fatalf("%d logins, want %d", issued.Load(), test.logins)
		}
	}
	given(rig)
	for range 3 {
		rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
		rig.pass(relogin)
	}
	if issued.Load() != 3 {
		t.Error("a login beside a token that was given")
	}
}

// A login that never came to the auth method costs no minute: when the server is well again it is made at once.
func TestALoginThatNeverArrivedIsMadeWhenTheServerIsWell(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	logIn := server.handlers["/v1/auth/approle/login"]
	var refused atomic.Int32
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		refused.Add(1)
		answers(503, `{"errors":["Vault is sealed"]}`)(w, r)
	})
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	server.handle("/v1/auth/approle/login", logIn)
	rig.pass(lastProbe)
	rig.mustRead(atKV2)
	if refused.Load() != 1 {
		t.Errorf("%d logins were refused", refused.Load())
	}
}

// A limit of requests refuses the question whether the token lives, too: nobody was told that it does.
func TestThoseWhoAreDeniedTogetherShareWhatTheServerSaidAndNoMore(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, true)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/b", answers(200, kv2Answer(goodData)))
	rig.mustRead(atB)
	server.handle("/v1/auth/token/lookup-self", answers(429, `{"errors":["request path \"auth/token/lookup-self\": rate limit quota exceeded"]}`, "Retry-After", "1"))
	life := &rig.connections["default"].tokens
	if failure := life.takeTurn(t.Context()); failure != nil { // so that all of them wait before one asks
		t.Fatal(failure)
	}
	var waiting, ended sync.WaitGroup
	waiting.Add(readers)
	for range readers {
		ctx := watched{t.Context(), sync.OnceFunc(waiting.Done)}
		ended.Go(func() {
			if dead, failure := life.examine(ctx, life.present()); dead || failure == nil || failure.Outcome != outcomeRateLimitedFor {
				t.Errorf("it is dead: %t, %v", dead, failure)
			}
		})
	}
	waiting.Wait()
	life.endTurn()
	ended.Wait()
}
