package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"regcred.dev/regcred/api/v1alpha1"
)

// tokens is a server's login that counts: token-1, token-2 ...
func tokens(s *scripted, seconds int, renewable bool) *atomic.Int32 {
	var issued atomic.Int32
	s.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		answers(200, fmt.Sprintf(`{"auth":{"client_token":"token-%d","lease_duration":%d,"renewable":%t}}`, issued.Add(1), seconds, renewable))(w, r)
	})
	return &issued
}

// onlyFor answers where the request carries one of these tokens, and 403 otherwise.
func onlyFor(handler http.HandlerFunc, living ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, token := range living {
			if r.Header.Get("X-Vault-Token") == token {
				handler(w, r)
				return
			}
		}
		answers(403, `{"errors":["permission denied"]}`)(w, r)
	}
}

func TestATokenIsRenewedAtTwoThirdsOfItsTime(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/token/renew-self", answers(200, `{"auth":{"client_token":"token-1","lease_duration":3600,"renewable":true}}`))
	rig := newRig(t, server.URL)
	renewals := func() int { return len(server.requests("/v1/auth/token/renew-self")) }
	rig.mustRead(atKV2)
	rig.pass(35 * time.Minute)
	rig.maintain(t.Context())
	if renewals() != 0 {
		t.Error("renewed before its time")
	}
	rig.pass(5 * time.Minute)
	rig.maintain(t.Context())
	rig.maintain(t.Context())
	if renewals() != 1 {
		t.Errorf("%d renewals at two thirds", renewals())
	}
	rig.pass(39 * time.Minute) // past the end of the first hour
	rig.mustRead(atKV2)
	if issued.Load() != 1 {
		t.Errorf("%d logins", issued.Load())
	}
}

func TestATokenThatCannotBeRenewedIsReplacedInTime(t *testing.T) {
	for name, renewal := range map[string]http.HandlerFunc{
		"not renewable":    nil,
		"refused":          answers(400, `{"errors":["hidden"]}`),
		"near its maximum": answers(200, `{"auth":{"client_token":"token-1","lease_duration":60,"renewable":true}}`),
	} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			issued := tokens(server, 3600, renewal != nil)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			if renewal != nil {
				server.handle("/v1/auth/token/renew-self", renewal)
			}
			rig := newRig(t, server.URL)
			rig.mustRead(atKV2)
			rig.pass(41 * time.Minute)
			rig.mustRead(atKV2)
			if issued.Load() != 2 {
				t.Errorf("%d logins", issued.Load())
			}
			await(t, "the old token is revoked", func() bool {
				revoked := server.requests("/v1/auth/token/revoke-self")
				return len(revoked) == 1 && revoked[0].Header.Get("X-Vault-Token") == "token-1"
			})
		})
	}
}

func TestALivingTokenIsUsedToItsEndWhileLoginsFail(t *testing.T) {
	server := newScripted(t)
	tokens(server, 3600, false)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	server.handle("/v1/auth/approle/login", answers(400, `{}`))
	for range 18 {
		rig.pass(57 * time.Minute / 18)
		rig.mustRead(atKV2)
	}
	rig.pass(10 * time.Minute)
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
}

func TestWhileLoginsFailThereIsAtMostOneAMinute(t *testing.T) {
	for name, refusal := range map[string]http.HandlerFunc{
		"refused": answers(400, `{"errors":["hidden"]}`), "broken": answers(500, `{"errors":["hidden"]}`),
	} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/auth/approle/login", refusal)
			rig := newRig(t, server.URL)
			for range 600 {
				failure := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
				if failure.RetryAfter <= 0 {
					t.Fatal("asked again at once")
				}
				rig.pass(time.Second)
			}
			if logins := len(server.requests("/v1/auth/approle/login")); logins > 10 || logins < 8 {
				t.Errorf("%d logins in 10 minutes", logins)
			}
			server.handle("/v1/auth/approle/login", answers(200, loginAnswer(testToken)))
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			rig.pass(70 * time.Second)
			rig.mustRead(atKV2)
		})
	}
}

func TestARefusalThatVaultCallsAnErrorIsARefusal(t *testing.T) {
	for name, test := range map[string]struct {
		says    string
		refused bool
	}{
		"a wrong secret ID":                       {"invalid secret id", true},
		"another identity of Azure":               {"service principal not authorized: 1234", true},
		"a group of Azure":                        {"groups not authorized: [1234]", true},
		"a token of Azure for something else":     {`oidc: expected audience "api://vault" got ["other"]`, true},
		"a token that another signed":             {"failed to verify signature: failed to verify id token signature", true},
		"a fault of Vault's, about which it says": {"hidden", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			body, err := json.Marshal(map[string]any{"errors": []string{"1 error occurred:\n\t* " + test.says}})
			if err != nil {
				t.Fatal(err)
			}
			server.handle("/v1/auth/approle/login", answers(500, string(body)))
			failure := newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonLoginFailed)
			if failure.Stalled != test.refused || strings.Contains(failure.Message, test.says) {
				t.Errorf("%+v", failure)
			}
		})
	}
}

func TestANewSecretIDIsTriedAtOnce(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		var login struct {
			SecretID string `json:"secret_id"`
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &login); err != nil || login.SecretID != "right" {
			answers(400, `{}`)(w, r)
			return
		}
		answers(200, loginAnswer(testToken))(w, r)
	})
	rig := newRig(t, server.URL)
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	rig.setValue("approle/id", "right\n")
	rig.mustRead(atKV2)
}

func TestADeadTokenIsReplacedWithinTheSameRead(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	good := answers(200, kv2Answer(goodData))
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/a", onlyFor(good, "token-1"))
	rig.mustRead(atKV2)
	server.handle("/v1/secret/data/a", onlyFor(good, "token-2"))
	server.handle("/v1/auth/token/lookup-self", onlyFor(answers(200, `{"data":{}}`), "token-2"))
	rig.pass(time.Minute)
	rig.mustRead(atKV2)
	if issued.Load() != 2 {
		t.Errorf("%d logins", issued.Load())
	}
}

func TestADeniedReadLogsInAgainEveryFewMinutesOnly(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	server.handle("/v1/secret/data/a", answers(403, `{"errors":["permission denied"]}`))
	rig := newRig(t, server.URL)
	for range 600 {
		rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
		rig.pass(time.Second)
	}
	if n := issued.Load(); n != 2 {
		t.Errorf("%d logins in 10 minutes", n)
	}
	// The role got another policy: a new login brings it.
	server.handle("/v1/secret/data/a", onlyFor(answers(200, kv2Answer(goodData)), "token-3"))
	rig.pass(relogin)
	rig.mustRead(atKV2)
}

// A token without Vault's default policy cannot look itself up: that it is refused says nothing.
func TestATokenThatMayNotLookItselfUpIsNotTakenForDead(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 36000, true)
	server.handle("/v1/secret/data/a", answers(403, `{}`))
	server.handle("/v1/auth/token/lookup-self", answers(403, `{}`))
	rig := newRig(t, server.URL)
	for range 600 {
		rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
		rig.pass(time.Second)
	}
	if n := issued.Load(); n > 12 {
		t.Errorf("%d logins in 10 minutes", n)
	}
}

// Vault and OpenBao lock a role ID, and with it everybody who logs in by it, for 15 minutes after five wrong secret IDs between which less than 15
// minutes pass. That is on by default (https://developer.hashicorp.com/vault/docs/concepts/user-lockout,
// https://github.com/hashicorp/vault/issues/26164), and a secret ID that has ended counts as a wrong one.
func TestASecretIDThatEndedLocksNobodyElseOutOfItsRole(t *testing.T) {
	const threshold, counterReset = 5, 15 * time.Minute
	server := newScripted(t)
	rig := newRig(t, server.URL)
	var (
		mu            sync.Mutex
		wrong, lasted int
		last          time.Time
	)
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if rig.now().Sub(last) >= counterReset {
			wrong = 0
		}
		wrong, last = wrong+1, rig.now()
		lasted = max(lasted, wrong)
		answers(400, `{"errors":["invalid role or secret ID"]}`)(w, r)
	})
	for range 180 {
		rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
		rig.pass(time.Minute)
	}
	mu.Lock()
	defer mu.Unlock()
	if lasted >= threshold {
		t.Errorf("%d logins in a row count against the role ID, which is locked after %d", lasted, threshold)
	}
}

func TestATokenFromASecretIsNeverRevoked(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "approle", Key: "id"}}}
	})
	rig.mustRead(atKV2)
	if err := rig.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(server.requests("/v1/auth/token/revoke-self")); n != 0 {
		t.Errorf("%d revocations", n)
	}
}

// A token that a person gives may be of a parent of the namespace: that it belongs elsewhere is no sign of a server without namespaces.
func TestAGivenTokenOfANamespaceAboveIsUsed(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/sys/internal/ui/mounts", answers(404, `{"errors":["namespace not found"]}`))
	server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{"namespace_path":"platform/"}}`))
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.VaultNamespace = "platform/team"
		s.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "approle", Key: "id"}}}
	})
	rig.mustRead(atKV2)
}

// A standby that has not caught up answers a login with 412: that passes, and nobody has to act.
func TestALoginAtAServerThatIsBehindIsNotRefused(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(412, `{"errors":["required index state not present"]}`))
	failure := newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	if failure.Stalled {
		t.Errorf("a person is asked for what passes: %+v", failure)
	}
}

// A token of Vault Enterprise names the state that it was made at. A performance standby that does not have it yet answers the token's first use
// with 412, and has it a moment later: https://github.com/ansible-collections/community.hashi_vault/issues/393,
// https://github.com/sitture/env-config/pull/174. Vault's own client asks again; its retries are turned off here.
func TestATokenThatAStandbyDoesNotKnowYetIsNotThrownAway(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	var asked atomic.Int32
	server.handle("/v1/auth/token/lookup-self", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			answers(412, `{"errors":["required index state not present"]}`)(w, r)
			return
		}
		answers(200, `{"data":{"ttl":3600,"renewable":true}}`)(w, r)
	})
	newRig(t, server.URL).mustRead(atKV2)
	if n := issued.Load(); n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestATokenThatHoldsALeaseIsNotRevoked(t *testing.T) {
	for name, test := range map[string]struct {
		release bool
		want    int
	}{"it holds one": {false, 0}, "it was released": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":60,"data":{"username":"u","password":"p"}}`))
			server.handle("/v1/sys/leases/revoke", answers(204, ""))
			rig := newRig(t, server.URL)
			snapshot := rig.mustRead(atDynamic)
			if test.release {
				if err := rig.Release(t.Context(), *snapshot.Lease); err != nil {
					t.Fatal(err)
				}
			}
			if err := rig.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := len(server.requests("/v1/auth/token/revoke-self")); n != test.want {
				t.Errorf("%d revocations", n)
			}
		})
	}
}

func TestTheVaultNamespaceIsProven(t *testing.T) {
	unknown := answers(404, `{"errors":["namespace not found"]}`)
	for name, test := range map[string]struct {
		mounts, lookup http.HandlerFunc
		reason         string // empty: it works
	}{
		"a server with namespaces":                                           {unknown, answers(200, `{"data":{"namespace_path":"platform/team/"}}`), ""},
		"it says 403 for unknown ones":                                       {answers(403, `{"errors":["permission denied"]}`), answers(200, `{"data":{"namespace_path":"platform/team/"}}`), ""},
		"the token may not look itself up":                                   {unknown, answers(403, `{}`), ""},
		"a server that ignores the header":                                   {answers(200, `{"data":{}}`), answers(200, `{"data":{}}`), v1alpha1.ReasonNamespacesUnsupported},
		"it is ignored, and a token that may not look itself up cannot tell": {answers(200, `{"data":{}}`), answers(403, `{}`), v1alpha1.ReasonNamespacesUnsupported},
		"it is ignored, though the token seems to be of it":                  {answers(200, `{"data":{}}`), answers(200, `{"data":{"namespace_path":"platform/team/"}}`), v1alpha1.ReasonNamespacesUnsupported},
		"a proxy hides that it is ignored":                                   {answers(403, `{"errors":[]}`), answers(200, `{"data":{"path":"auth/approle/login"}}`), v1alpha1.ReasonNamespacesUnsupported},
		"the token belongs to another namespace":                             {unknown, answers(200, `{"data":{"namespace_path":"other/"}}`), v1alpha1.ReasonNamespacesUnsupported},
		"it says 400 for unknown ones":                                       {answers(400, `{"errors":[]}`), answers(200, `{"data":{"namespace_path":"platform/team/"}}`), ""},
		"a page of a proxy with 404":                                         {answers(404, `<html>not found</html>`), answers(200, `{"data":{"namespace_path":"platform/team/"}}`), v1alpha1.ReasonLoginFailed},
		"a page of a proxy with 403":                                         {answers(403, `<html>forbidden</html>`), answers(403, `{}`), v1alpha1.ReasonLoginFailed},
		"what a gateway says in JSON with 403":                               {answers(403, `{"message":"Forbidden"}`), answers(403, `{}`), v1alpha1.ReasonLoginFailed},
		"what a gateway says in JSON with 404":                               {answers(404, `{"errors":null}`), answers(403, `{}`), v1alpha1.ReasonLoginFailed},
		"nothing with 400":                                                   {answers(400, ``), answers(403, `{}`), v1alpha1.ReasonLoginFailed},
		"the server breaks off":                                              {breaks, answers(200, `{"data":{}}`), v1alpha1.ReasonUnavailable},
		"the server cannot be asked for its mind":                            {answers(500, `{}`), answers(200, `{"data":{}}`), v1alpha1.ReasonUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/sys/internal/ui/mounts", test.mounts)
			server.handle("/v1/auth/token/lookup-self", test.lookup)
			rig := newRig(t, server.URL)
			rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.VaultNamespace = "platform/team" })
			if test.reason == "" {
				rig.mustRead(atKV2)
			} else {
				rig.mustFail(atKV2, test.reason)
				await(t, "the token of the login is given back", func() bool { return len(server.requests("/v1/auth/token/revoke-self")) == 1 })
			}
			for _, request := range server.requests("") {
				namespace := request.Header.Get("X-Vault-Namespace")
				switch path := request.URL.Path; {
				case path == "/v1/sys/health" && namespace != "",
					path == "/v1/sys/internal/ui/mounts" && (!strings.HasPrefix(namespace, "platform/team/regcred-") || request.Header.Get("X-Vault-Token") != ""),
					strings.HasPrefix(path, "/v1/auth/") && namespace != "platform/team":
					t.Errorf("%s was asked in namespace %q", path, namespace)
				}
			}
		})
	}
}

func TestNothingIsLeftAfterAHundredChangesOfAConnection(t *testing.T) {
	before := goleak.IgnoreCurrent()
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	issued := tokens(server, 3600, true)
	rig := newRig(t, server.URL)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := rig.Read(t.Context(), requestFor(atKV2, 0)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 100 {
		rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.PathPrefixes = []string{"secret/", fmt.Sprintf("kv-%d/", i)} })
		rig.mustRead(atKV2)
	}
	close(stop)
	readers.Wait()
	if err := rig.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if revoked := len(server.requests("/v1/auth/token/revoke-self")); revoked != int(issued.Load()) {
		t.Errorf("%d of %d tokens were revoked", revoked, issued.Load())
	}
	server.Close()
	nothingIsLeft(t, before)
}

func TestADeletedConnectionIsClosedAndReported(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.mu.Lock()
	rig.connection = nil
	rig.mu.Unlock()
	rig.mustFail(atKV2, v1alpha1.ReasonConnectionNotFound)
	await(t, "the token is revoked", func() bool { return len(server.requests("/v1/auth/token/revoke-self")) == 1 })
}

func TestCheckSaysHowAConnectionIs(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	state, err := rig.Check(t.Context(), object)
	if err != nil || state.ServerVersion != "1.14.0" || state.Method != "appRole" || !state.LoginTime.Equal(rig.now()) || !state.NextLogin.IsZero() || !state.TokenEnds.IsZero() {
		t.Errorf("%+v, %v", state, err)
	}
	object.Spec.Auth.AppRole.RoleID, object.Generation = "other", object.Generation+1
	server.handle("/v1/auth/approle/login", answers(400, `{}`))
	state, err = rig.Check(t.Context(), object)
	if wait := state.NextLogin.Sub(rig.now()); err == nil || state.ServerVersion != "1.14.0" || !state.LoginTime.IsZero() || wait < loginPause || wait > loginPause*7/6 {
		t.Errorf("%+v, next login in %s, %v", state, wait, err)
	}
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer(testToken)))
	rig.pass(2 * loginPause)
	if state, err = rig.Check(t.Context(), object); err != nil || !state.NextLogin.IsZero() {
		t.Errorf("after a login that succeeded: %+v, %v", state, err)
	}
	object.Spec.Auth.AppRole.SecretID.Name = "missing"
	if state, err = rig.Check(t.Context(), object); err == nil || state.Method != "appRole" {
		t.Errorf("without what it logs in with: %+v, %v", state, err)
	}
}

func TestWhoWaitsForALoginMayGiveUpAndTheLoginGoesOn(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	logIn := server.handlers["/v1/auth/approle/login"]
	arrived, answer := make(chan struct{}), make(chan struct{})
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-answer
		logIn(w, r)
	})
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	given := make(chan error)
	go func() { _, err := rig.Check(ctx, object); given <- err }()
	<-arrived
	giveUp()
	select {
	case err := <-given:
		if err == nil {
			t.Error("it was told that all is well, which nobody knows")
		}
	case <-time.After(5 * time.Second): // half of what the request may take
		t.Error("it waits though it gave up")
		close(answer)
		<-given
		return
	}
	close(answer)
	await(t, "the value is read", func() bool {
		rig.pass(time.Minute)
		_, failure := rig.read(atKV2)
		return failure == nil
	})
	if issued.Load() != 1 {
		t.Errorf("%d logins", issued.Load())
	}
}

// await waits for a condition.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// nothingIsLeft waits until nothing runs that did not run before. A server of a test ends when it sees that the client is gone, for which goleak waits
// less than half a second.
func nothingIsLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	var left error
	for range 20 {
		if left = goleak.Find(before); left == nil {
			return
		}
	}
	t.Error(left)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
