package vault

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/silentserver"
)

// situation brings one outcome about, in front of a server that is well otherwise.
type situation struct {
	outcome Outcome
	place   v1alpha1.VaultSource
	arrange func(*testing.T, *scripted, *rig)
}

// atPath answers the read of a path.
func atPath(path string, handler http.HandlerFunc) func(*testing.T, *scripted, *rig) {
	return func(_ *testing.T, s *scripted, _ *rig) { s.handle("/v1/"+path, handler) }
}

func kv2Data(data map[string]any) func(*testing.T, *scripted, *rig) {
	return atPath("secret/data/a", answers(200, kv2Answer(data)))
}

func both(arrangements ...func(*testing.T, *scripted, *rig)) func(*testing.T, *scripted, *rig) {
	return func(t *testing.T, s *scripted, r *rig) {
		for _, arrange := range arrangements {
			arrange(t, s, r)
		}
	}
}

func spec(change func(*v1alpha1.VaultConnectionSpec)) func(*testing.T, *scripted, *rig) {
	return func(_ *testing.T, _ *scripted, r *rig) { r.change(change) }
}

const sealedHealth = `{"initialized":true,"sealed":true,"standby":true,"version":"1.14.0"}`

// situations hold at least one for every row of the table.
func situations() map[string]situation {
	health := func(status int, body string) func(*testing.T, *scripted, *rig) {
		return atPath("sys/health", answers(status, body))
	}
	dockerConfig := atKV2
	dockerConfig.Keys = &v1alpha1.VaultKeys{DockerConfig: "config"}
	metadata := `{"data":{"data":null,"metadata":{"version":3,"created_time":"2026-01-02T03:04:05Z","deletion_time":"2026-01-03T03:04:05Z","destroyed":%t}}}`
	return map[string]situation{
		"good": {outcomeRead, atKV2, kv2Data(goodData)},

		"no keys":                        {outcomeEmpty, atKV2, kv2Data(map[string]any{})},
		"no keys in KV v1":               {outcomeEmpty, atKV1, atPath("secret/a", answers(200, `{"data":{}}`))},
		"no answer body":                 {outcomeEmpty, atDynamic, atPath("robots/creds/a", answers(204, ""))},
		"a key is missing":               {outcomeKeyMissing, atKV2, kv2Data(map[string]any{"username": "robot"})},
		"a key is null":                  {outcomeKeyMissing, atKV2, kv2Data(map[string]any{"username": "robot", "password": nil})},
		"a number for a password":        {outcomeMalformed, atKV2, kv2Data(map[string]any{"username": "robot", "password": 12345678901234567})},
		"a list for a password":          {outcomeMalformed, atKV2, kv2Data(map[string]any{"username": "robot", "password": []string{"a"}})},
		"a password with a tab":          {outcomeMalformed, atKV2, kv2Data(map[string]any{"username": "robot", "password": "a\tb"})},
		"an empty password":              {outcomeMalformed, atKV2, kv2Data(map[string]any{"username": "robot", "password": "\n"})},
		"a broken docker config":         {outcomeMalformed, dockerConfig, kv2Data(map[string]any{"config": "{"})},
		"a docker config of another":     {outcomeRegistryMissing, dockerConfig, kv2Data(map[string]any{"config": `{"auths":{"other.example":{"username":"a","password":"b"}}}`})},
		"a registry nobody can pull by":  {outcomeBadRegistry, atKV2, both(kv2Data(goodData), func(_ *testing.T, _ *scripted, r *rig) { r.registry = "registry.example/Team" })},
		"our own token as the password":  {outcomeOwnToken, atKV2, kv2Data(map[string]any{"username": "robot", "password": testToken})},
		"our own token as the user name": {outcomeOwnToken, atKV2, kv2Data(map[string]any{"username": testToken, "password": "pw"})},
		"a web page":                     {outcomeNoAnswer, atKV2, atPath("secret/data/a", answers(200, "<html>please log in</html>"))},
		"a web page everywhere":          {outcomeNotVault, atKV2, both(atPath("secret/data/a", answers(200, "<html>")), health(200, "<html>"))},
		"a web page for all that is 404": {outcomeNotVault, atKV2, both(atPath("secret/data/a", answers(404, "<html>")), health(404, "<html>"))},
		"a web page for 404":             {outcomeNoAnswer, atKV2, atPath("secret/data/a", answers(404, "<html>not found</html>"))},
		"a large answer":                 {outcomeOversized, atKV2, atPath("secret/data/a", answers(200, kv2Answer(map[string]any{"x": strings.Repeat("x", maxAnswer)})))},
		"a large failure":                {outcomeOversized, atKV2, atPath("secret/data/a", answers(400, strings.Repeat("x", maxAnswer+1)))},

		"redirect":               {outcomeRedirect, atKV2, atPath("secret/data/a", answers(307, "", "Location", "https://elsewhere.example:8200/v1/secret/data/a"))},
		"redirect without place": {outcomeRedirect, atKV2, atPath("secret/data/a", answers(302, ""))},
		"400":                    {outcomeBadRequest, atKV2, atPath("secret/data/a", answers(400, `{"errors":["hidden"]}`))},
		"400 of a standby that does not know the token yet": {outcomeBehind, atKV2, atPath("secret/data/a", answers(400,
			`{"errors":["error performing token check: failed to persist lease entry: cannot write to readonly storage"]}`))},
		"405": {outcomeBadRequest, atDynamic, atPath("robots/creds/a", answers(405, `{"errors":["hidden"]}`))},
		"418": {outcomeBadRequest, atKV2, atPath("secret/data/a", answers(418, `{}`))},
		"403": {outcomeDenied, atKV2, atPath("secret/data/a", answers(403, `{"errors":["hidden"]}`))},
		"403 with a dead token, after many logins": {outcomeDeadToken, atKV2, both(
			atPath("secret/data/a", answers(403, `{"errors":["hidden"]}`)),
			func(_ *testing.T, s *scripted, r *rig) {
				r.mustFail(atKV2, v1alpha1.ReasonPermissionDenied) // and learns that a token can look itself up
				s.handle("/v1/auth/token/lookup-self", answers(403, `{"errors":["hidden"]}`))
				r.pass(time.Minute)
				r.connections["default"].tokens.logins.SetBurst(0)
			})},

		"never written": {outcomeNeverWritten, atKV2, nil},
		"deleted":       {outcomeDeleted, atKV2, atPath("secret/data/a", answers(404, fmt.Sprintf(metadata, false)))},
		"destroyed":     {outcomeDestroyed, atKV2, atPath("secret/data/a", answers(404, fmt.Sprintf(metadata, true)))},
		"no mount":      {outcomeNoMount, atKV2, atPath("secret/data/a", answers(404, `{"errors":["no handler for route \"secret/data/a\". route entry not found."]}`))},
		"v2 path without data/": {outcomeWrongEngine, atKV1, atPath("secret/a", answers(404,
			`{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."]}`))},
		"v1 answer for v2":     {outcomeWrongEngine, atKV2, atPath("secret/data/a", answers(200, `{"data":{"username":"a","password":"b"}}`))},
		"v2 answer for v1":     {outcomeWrongEngine, atKV1, atPath("secret/a", answers(200, kv2Answer(goodData)))},
		"a wrapped secret":     {outcomeWrongEngine, atDynamic, atPath("robots/creds/a", answers(200, `{"wrap_info":{"token":"hvs.wrapped"}}`))},
		"a login for a secret": {outcomeWrongEngine, atDynamic, atPath("robots/creds/a", answers(200, loginAnswer("hvs.other")))},
		"v1 mount for v2, by its kind": {outcomeWrongEngine, atKV2,
			atPath("sys/internal/ui/mounts/secret", answers(200, `{"data":{"type":"kv","options":{"version":"1"}}}`))},
		"another kind of mount": {outcomeWrongEngine, atKV2,
			atPath("sys/internal/ui/mounts/secret", answers(200, `{"data":{"type":"gcp","options":null}}`))},

		"another kind of mount, which the policy does not allow": {outcomeWrongEngine, atKV2, both(
			atPath("secret/data/a", answers(403, `{"errors":["hidden"]}`)),
			atPath("sys/internal/ui/mounts/secret", answers(200, `{"data":{"type":"aws","options":null}}`)))},
		"KV version 2 for an engine, which the policy does not allow": {outcomeWrongEngine, atDynamic, both(
			atPath("robots/creds/a", answers(403, `{"errors":["hidden"]}`)),
			atPath("sys/internal/ui/mounts/robots", answers(200, `{"data":{"type":"kv","options":{"version":"2"}}}`)))},
		"403 of an engine": {outcomeDenied, atDynamic, both(
			atPath("robots/creds/a", answers(403, `{"errors":["hidden"]}`)),
			atPath("sys/internal/ui/mounts/robots", answers(200, `{"data":{"type":"aws","options":null}}`)))},
		"an engine that answers nothing":         {outcomeNoRole, atDynamic, nil},
		"an engine that knows no such role":      {outcomeNoRole, atDynamic, atPath("robots/creds/a", answers(400, `{"errors":["Role \"a\" not found"]}`))},
		"a database that knows no such role":     {outcomeNoRole, atDynamic, atPath("robots/creds/a", answers(400, `{"errors":["unknown role: a"]}`))},
		"an engine that is not configured":       {outcomeBadRequest, atDynamic, atPath("robots/creds/a", answers(400, `{"errors":["subscription_id is required"]}`))},
		"KV that tells of a role in its refusal": {outcomeBadRequest, atKV2, atPath("secret/data/a", answers(400, `{"errors":["role not found"]}`))},

		"412":                     {outcomeBehind, atKV2, atPath("secret/data/a", answers(412, `{"errors":["hidden"]}`))},
		"429 with Retry-After":    {outcomeRateLimitedFor, atKV2, atPath("secret/data/a", answers(429, `{"errors":["hidden"]}`, "Retry-After", "7"))},
		"429 for leases":          {outcomeLeaseQuota, atDynamic, atPath("robots/creds/a", answers(429, `{"errors":["request path \"robots/creds/a\": lease count quota exceeded"]}`))},
		"429 without Retry-After": {outcomeRateLimited, atKV2, atPath("secret/data/a", answers(429, `{"errors":["hidden"]}`))},
		"472":                     {outcomeRecovery, atKV2, atPath("secret/data/a", answers(472, `{}`))},
		"473":                     {outcomePerfStandby, atKV2, atPath("secret/data/a", answers(473, `{}`))},
		"500 at one path":         {outcomeServerError, atKV2, atPath("secret/data/a", answers(500, `{"errors":["hidden"]}`))},
		"502 of a proxy":          {outcomeServerError, atKV2, atPath("secret/data/a", answers(502, "<html>"))},
		"500 everywhere":          {outcomeOutage, atKV2, both(atPath("secret/data/a", answers(500, `{}`)), health(500, `{}`))},
		"not initialised":         {outcomeOutage, atKV2, both(atPath("secret/data/a", answers(503, `{}`)), health(501, `{"initialized":false,"version":"1"}`))},
		"sealed":                  {outcomeSealed, atKV2, atPath("secret/data/a", answers(503, `{"errors":["Vault is sealed"]}`))},
		"sealed, says the health": {outcomeSealed, atKV2, both(atPath("secret/data/a", answers(503, `{}`)), health(503, sealedHealth))},
		"no active node": {outcomeNoActive, atKV2, atPath("secret/data/a", answers(500,
			`{"errors":["local node not active but active cluster node not found"]}`))},

		"slow": {outcomeSlow, atKV2, both(
			spec(func(s *v1alpha1.VaultConnectionSpec) { s.TimeoutSeconds = new(int32(1)) }),
			atPath("secret/data/a", silentserver.Handle))},
		"a body that never ends": {outcomeSlow, atKV2, both(
			spec(func(s *v1alpha1.VaultConnectionSpec) { s.TimeoutSeconds = new(int32(1)) }),
			atPath("secret/data/a", func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte(`{"data":`))
				w.(http.Flusher).Flush()
				silentserver.Handle(w, r)
			}))},
		"slow everywhere": {outcomeUnreachable, atKV2, both(
			spec(func(s *v1alpha1.VaultConnectionSpec) { s.TimeoutSeconds = new(int32(1)) }),
			atPath("secret/data/a", silentserver.Handle),
			atPath("sys/health", silentserver.Handle))},
		"no server":         {outcomeUnreachable, atKV2, func(_ *testing.T, s *scripted, _ *rig) { s.Close() }},
		"connection broken": {outcomeBroken, atKV2, atPath("secret/data/a", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		"connections broken everywhere": {outcomeUnreachable, atKV2, both(
			atPath("secret/data/a", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			atPath("sys/health", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))},
		"unknown CA": {outcomeTLS, atKV2, func(t *testing.T, _ *scripted, r *rig) {
			secure := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(secure.Close)
			r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Address = secure.URL })
		}},
		"plain HTTP": {outcomeTLS, atKV2, func(_ *testing.T, s *scripted, r *rig) {
			r.change(func(c *v1alpha1.VaultConnectionSpec) { c.Address = strings.Replace(s.URL, "http://", "https://", 1) })
		}},
		"our own limit": {outcomeOwnLimit, atKV2, both(kv2Data(goodData), func(_ *testing.T, _ *scripted, r *rig) {
			r.mustRead(atKV2)
			r.connections["default"].limiter.SetBurst(0)
		})},

		"login refused":         {outcomeLoginRefused, atKV2, atPath("auth/approle/login", answers(400, `{"errors":["hidden"]}`))},
		"login without a token": {outcomeLoginRefused, atKV2, atPath("auth/approle/login", answers(200, `{"auth":{"mfa_requirement":{}}}`))},
		"login fails":           {outcomeLoginFailed, atKV2, atPath("auth/approle/login", answers(500, `{"errors":["hidden"]}`))},
		"no namespaces": {outcomeNoNamespaces, atKV2, both(
			spec(func(s *v1alpha1.VaultConnectionSpec) { s.VaultNamespace = "platform" }),
			atPath("sys/internal/ui/mounts", answers(200, `{"data":{}}`)))},

		"a proxy that is not there": {outcomeProxy, atKV2, spec(func(s *v1alpha1.VaultConnectionSpec) { s.Proxy = &v1alpha1.VaultProxy{URL: "http://127.0.0.1:1"} })},

		"a refused exchange":            {outcomeExchangeRefused, ofCloud(atKV1), both(atPath("secret/a", answers(200, `{"data":{"access_key":"a"}}`)), cloudSays(exchange.ErrRefused))},
		"a refused exchange, just made": {outcomeExchangeNotYet, ofCloud(atDynamic), both(atPath("robots/creds/a", answers(200, keysAnswer)), cloudSays(exchange.ErrRefused))},
		"a cloud that does not answer":  {outcomeExchangeUnavailable, ofCloud(atDynamic), both(atPath("robots/creds/a", answers(200, keysAnswer)), cloudSays(exchange.ErrUnavailable))},
		"a registry of no cloud":        {outcomeExchangeRegistry, ofCloud(atDynamic), both(atPath("robots/creds/a", answers(200, keysAnswer)), cloudSays(exchange.ErrRegistry))},
		"nothing that can be exchanged": {outcomeExchangeInput, ofCloud(atDynamic), both(atPath("robots/creds/a", answers(200, keysAnswer)), cloudSays(exchange.ErrInput))},

		"no connection":      {outcomeNoConnection, v1alpha1.VaultSource{Mount: "secret", Path: "a", Connection: "other"}, nil},
		"no Secret":          {outcomeConnectionRefused, atKV2, spec(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "other" })},
		"no value":           {outcomeConnectionRefused, atKV2, spec(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Key = "other" })},
		"no CA":              {outcomeConnectionRefused, atKV2, spec(func(s *v1alpha1.VaultConnectionSpec) { s.TLS = &v1alpha1.VaultTLS{CABundle: "nonsense"} })},
		"no method":          {outcomeConnectionRefused, atKV2, spec(func(s *v1alpha1.VaultConnectionSpec) { s.Auth = v1alpha1.VaultAuth{} })},
		"a path that climbs": {outcomePathRefused, v1alpha1.VaultSource{Mount: "secret", Path: "../../sys/mounts"}, nil},
		"outside of the prefixes": {outcomePathRefused, atKV2,
			spec(func(s *v1alpha1.VaultConnectionSpec) { s.PathPrefixes = []string{"secret/platform/"} })},
	}
}

func TestEveryOutcomeHasItsReasonAndItsRetry(t *testing.T) {
	covered := map[Outcome]bool{}
	for name, test := range situations() {
		covered[test.outcome] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t)
			rig := newRig(t, server.URL)
			if test.arrange != nil {
				test.arrange(t, server, rig)
			}
			_, failure := rig.read(test.place)
			if test.outcome == outcomeRead {
				if failure != nil {
					t.Fatal(failure)
				}
				return
			}
			wantOutcome(t, failure, test.outcome)
			if test.outcome.Retry == RetryServer || test.outcome.Retry == RetryAsTold {
				before := len(server.requests(""))
				if _, again := rig.read(test.place); again == nil || again.Reason != failure.Reason {
					t.Errorf("the next read gave %v", again)
				}
				if after := len(server.requests("")); after != before {
					t.Errorf("%d requests for what is known", after-before)
				}
			}
		})
	}
	for _, outcome := range Outcomes() {
		if !covered[outcome] {
			t.Errorf("no test for: %s", outcome.When)
		}
	}
}

// wantOutcome wants the failure to be what the table says, and to hold nothing of what the server said.
func wantOutcome(t *testing.T, failure *source.Error, want Outcome) {
	t.Helper()
	if failure == nil {
		t.Fatalf("it succeeded, want: %s", want.When)
	}
	advised := strings.HasSuffix(failure.Message, want.Message)
	if want == outcomeConnectionRefused { // each cause has its own advice, and the table's would be a second one
		advised = !strings.Contains(failure.Message, want.Message) && regexp.MustCompile(`: (create|write|kubectl|set|correct|leave|add|name|list|keep) `).MatchString(failure.Message)
	}
	if failure.Reason != want.Reason || failure.Stalled != want.Stalled || !advised {
		t.Errorf("got %+v\nwant %+v", *failure, want)
	}
	for err := error(failure); err != nil; err = errors.Unwrap(err) {
		if text := err.Error(); strings.Contains(text, "hidden") || strings.Contains(text, testToken) {
			t.Errorf("the error holds what the server said: %s", text)
		}
	}
	shortest := map[Retry]time.Duration{RetryServer: time.Second, RetryAsTold: 7 * time.Second, RetryLogin: time.Minute, RetryAtOnce: time.Second, RetryShortly: 10 * time.Second}
	if low := shortest[want.Retry]; failure.RetryAfter < low || (low == 0 && failure.RetryAfter != 0) {
		t.Errorf("asked again after %s: %s", failure.RetryAfter, want.Retry)
	}
}

// The table of the documentation comes out of the code.
func ExampleOutcomes() {
	fmt.Println("| answer | reason | stalled | asked again |")
	for _, o := range Outcomes()[:3] {
		fmt.Printf("| %s | %s | %t | %s |\n", o.When, o.Reason, o.Stalled, o.Retry)
	}
	// Output:
	// | answer | reason | stalled | asked again |
	// | 200 with a usable credential | Read | false | at the refresh period |
	// | 200 without any key | KeyMissing | true | at the refresh period |
	// | 200 without a key that the spec names | KeyMissing | true | at the refresh period |
}
