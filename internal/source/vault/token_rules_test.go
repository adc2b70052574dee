package vault

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// given has a rig use a token that is in a Secret.
func given(r *rig) {
	r.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "approle", Key: "id"}}}
	})
}

func TestAfterARenewalATokenOfOursIsUsedOrReplaced(t *testing.T) {
	for _, test := range []struct {
		name    string
		renewal http.HandlerFunc
		logins  int32
	}{
		{"it has all of its time again", answers(200, loginAnswer("token-1")), 1},
		{"it has half of its time", answers(200, `{"auth":{"client_token":"token-1","lease_duration":1800,"renewable":true}}`), 1},
		{"it has less than half of its time", answers(200, `{"auth":{"client_token":"token-1","lease_duration":1799,"renewable":true}}`), 2},
		{"it has no time", answers(200, `{"auth":{"client_token":"token-1","lease_duration":0,"renewable":true}}`), 2},
		{"the answer tells of no token", answers(200, `{}`), 2},
		{"the connection breaks", breaks, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			issued := tokens(server, 3600, true)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/renew-self", test.renewal)
			counted := &ledger{}
			rig := newRig(t, server.URL, func(o *Options) { o.Metrics = counted })
			rig.mustRead(atKV2)
			rig.pass(41 * time.Minute)
			rig.mustRead(atKV2)
			if issued.Load() != test.logins {
				t.Errorf("%d logins", issued.Load())
			}
			if ends := slices.DeleteFunc(slices.Clone(counted.entries), func(e string) bool { return e != "token default false" }); len(ends) < 2 {
				t.Errorf("its new end is not told: %q", counted.entries)
			}
		})
	}
}

func TestATokenThatWasRenewedForTheLastTimeIsReplaced(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/token/renew-self", answers(200, `{"auth":{"client_token":"token-1","lease_duration":3600,"renewable":false}}`))
	rig := newRig(t, server.URL)
	for range 3 {
		rig.mustRead(atKV2)
		rig.pass(41 * time.Minute)
	}
	if renewals := len(server.requests("/v1/auth/token/renew-self")); renewals != 1 || issued.Load() != 2 {
		t.Errorf("%d renewals and %d logins", renewals, issued.Load())
	}
}

// A server that is away says nothing about the token: it is used on, and nobody logs in.
func TestARenewalAtASealedServerLogsNobodyIn(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/token/renew-self", answers(503, `{"errors":["Vault is sealed"]}`))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.pass(41 * time.Minute)
	for range 3 {
		rig.mustRead(atKV2)
	}
	if n := len(server.requests("/v1/auth/token/renew-self")); n != 1 || issued.Load() != 1 {
		t.Errorf("%d renewals and %d logins at once", n, issued.Load())
	}
	rig.pass(renewPause)
	rig.mustRead(atKV2)
	if n := len(server.requests("/v1/auth/token/renew-self")); n != 2 {
		t.Errorf("%d renewals after a while", n)
	}
}

func TestAGivenTokenIsRenewedAndNeverReplaced(t *testing.T) {
	for _, test := range []struct {
		name            string
		about           string
		renewal         http.HandlerFunc
		renewals, later int // at two thirds of its time, and by a minute after that
	}{
		{"all is well", `{"ttl":3600,"renewable":true}`, answers(200, loginAnswer("secret-id")), 1, 1},
		{"it has little time", `{"ttl":3600,"renewable":true}`, answers(200, `{"auth":{"client_token":"secret-id","lease_duration":1200,"renewable":true}}`), 1, 1},
		{"it may not be renewed", `{"ttl":3600,"renewable":true}`, answers(403, `{"errors":[]}`), 1, 2},
		{"it is renewed by nothing", `{"ttl":3600,"renewable":true}`, answers(200, `{"auth":{"client_token":"secret-id","lease_duration":0,"renewable":true}}`), 1, 2},
		{"it cannot be renewed", `{"ttl":3600,"renewable":false}`, answers(200, loginAnswer("secret-id")), 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":`+test.about+`}`))
			server.handle("/v1/auth/token/renew-self", test.renewal)
			rig := newRig(t, server.URL)
			given(rig)
			rig.mustRead(atKV2)
			rig.pass(41 * time.Minute)
			rig.mustRead(atKV2)
			rig.mustRead(atKV2)
			renewals := func() int { return len(server.requests("/v1/auth/token/renew-self")) }
			if n := renewals(); n != test.renewals {
				t.Errorf("%d renewals", n)
			}
			rig.pass(time.Minute)
			rig.mustRead(atKV2)
			if n, asks := renewals(), len(server.requests("/v1/auth/token/lookup-self")); n != test.later || asks != 1 {
				t.Errorf("%d renewals a minute later, and it was looked up %d times", n, asks)
			}
		})
	}
}

func TestWhyAGivenTokenIsNotUsed(t *testing.T) {
	for _, test := range []struct {
		name    string
		lookup  http.HandlerFunc
		stalled bool
		says    string
	}{
		{"Vault does not accept it", answers(403, `{"errors":[]}`), true, "the token in Secret approle is not accepted"},
		{"Vault fails", answers(500, `{"errors":[]}`), false, "the login did not succeed"},
		{"the connection breaks", breaks, false, "the login did not succeed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/auth/token/lookup-self", test.lookup)
			rig := newRig(t, server.URL)
			given(rig)
			if failure := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed); failure.Stalled != test.stalled || !strings.Contains(failure.Message, test.says) {
				t.Errorf("%+v", failure)
			}
		})
	}
}

// A node that does not know the end of a token leaves it to the renewal, and what that says is no more believed than anything else.
func TestATokenWhoseEndNobodyKnowsIsAskedAboutAgain(t *testing.T) {
	const unknown, known = `{"ttl":0,"expire_time":"2026-01-01T00:00:00Z","renewable":true}`, `{"ttl":3600,"expire_time":"2026-01-01T00:00:00Z","renewable":true}`
	renewed := func(seconds string) http.HandlerFunc {
		return answers(200, `{"auth":{"client_token":"secret-id","renewable":true,"lease_duration":`+seconds+`}}`)
	}
	for _, test := range []struct {
		name        string
		about       string
		renewal     http.HandlerFunc
		least, most int // renewals in ten minutes
	}{
		{"the renewal tells an hour", unknown, renewed("3600"), 1, 1},
		{"the end is known", known, renewed("3600"), 0, 0},
		{"the renewal tells nothing", unknown, answers(204, ""), 8, 30},
		{"the renewal breaks off", unknown, breaks, 8, 30},
		{"the renewal fails, and tells an hour", unknown, answers(500, `{"auth":{"lease_duration":3600,"renewable":true}}`), 8, 30},
		{"the renewal tells no time", unknown, renewed("0"), 8, 30},
		{"the renewal tells less than nothing", unknown, renewed("-1"), 8, 30},
		{"the renewal tells more than a lifetime", unknown, renewed("9223372036854775807"), 1, 1},
		{"the renewal tells what is less than nothing in nanoseconds", unknown, renewed("9223372037"), 1, 1},
		{"the renewal tells what is a second in nanoseconds", unknown, renewed("18446744075"), 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":`+test.about+`}`))
			server.handle("/v1/auth/token/renew-self", test.renewal)
			rig := newRig(t, server.URL)
			given(rig)
			for range 10 {
				rig.mustRead(atKV2)
				rig.pass(time.Minute)
			}
			if n := len(server.requests("/v1/auth/token/renew-self")); n < test.least || n > test.most {
				t.Errorf("%d renewals", n)
			}
		})
	}
}

func TestACheckTellsWhenAGivenTokenEndsForGood(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{"ttl":3600,"renewable":true,"creation_time":1772366400,"explicit_max_ttl":86400}}`))
	rig := newRig(t, server.URL)
	given(rig)
	state, err := rig.Check(t.Context(), rig.connection)
	if want := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC); err != nil || !state.TokenEnds.Equal(want) {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestATokenThatHasEndedIsNeitherToldNorRevoked(t *testing.T) {
	server := newScripted(t)
	var refuse atomic.Bool
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		if refuse.Load() {
			answers(400, `{"errors":[]}`)(w, r)
			return
		}
		answers(200, loginAnswer(testToken))(w, r)
	})
	rig := newRig(t, server.URL)
	if _, err := rig.Check(t.Context(), rig.connection); err != nil {
		t.Fatal(err)
	}
	refuse.Store(true)
	rig.pass(time.Hour)
	if state, err := rig.Check(t.Context(), rig.connection); err == nil || !state.LoginTime.IsZero() {
		t.Errorf("%+v, %v", state, err)
	}
	if err := rig.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(server.requests("/v1/auth/token/revoke-self")); n != 0 {
		t.Errorf("%d revocations", n)
	}
}

func TestRenewalsOfManyConnectionsAreSpread(t *testing.T) {
	due := map[time.Time]bool{}
	for range 20 {
		s := &session{ours: true}
		s.limit(time.Hour, readAt)
		due[s.renewAt] = true
		if early := s.renewAt.Sub(readAt); early > 40*time.Minute || early < 36*time.Minute {
			t.Errorf("renewed after %s", early)
		}
	}
	if len(due) < 2 {
		t.Error("all at the same moment")
	}
}
