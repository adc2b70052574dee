package vault

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// asked is what an engine was asked.
type asked struct {
	method, query string
	body          map[string]any
}

func TestAnEngineIsAskedAsTheSpecSays(t *testing.T) {
	for _, test := range []struct {
		name    string
		request *v1alpha1.VaultRequest
		want    asked
	}{
		{"nothing is said", nil, asked{http.MethodGet, "", nil}},
		{"a request that says nothing", &v1alpha1.VaultRequest{}, asked{http.MethodGet, "", nil}},
		{"a GET with parameters", &v1alpha1.VaultRequest{Method: v1alpha1.VaultGet, Parameters: map[string]v1alpha1.ParameterValue{"ttl": "1h", "role_arn": "arn:aws:iam::1:role/a&b=c"}},
			asked{http.MethodGet, "role_arn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%26b%3Dc&ttl=1h", nil}},
		{"a POST without parameters", &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}, asked{http.MethodPut, "", map[string]any{}}},
		{"a POST with parameters", &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost, Parameters: map[string]v1alpha1.ParameterValue{"label": "a\"b"}},
			asked{http.MethodPut, "", map[string]any{"label": "a\"b"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			var got asked
			server.handle("/v1/robots/creds/a", func(w http.ResponseWriter, r *http.Request) {
				got = asked{method: r.Method, query: r.URL.RawQuery}
				if body, _ := io.ReadAll(r.Body); len(body) > 0 {
					_ = json.Unmarshal(body, &got.body)
				}
				answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":600,"data":{"username":"u","password":"p"}}`)(w, r)
			})
			place := atDynamic
			place.Request = test.request
			newRig(t, server.URL).mustRead(place)
			if got.method != test.want.method || got.query != test.want.query || len(got.body) != len(test.want.body) || (got.body == nil) != (test.want.body == nil) || got.body["label"] != test.want.body["label"] {
				t.Errorf("it was asked %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestARefusalSaysWhatTheRequestHasToDoWithIt(t *testing.T) {
	post := atDynamic
	post.Request = &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}
	atEngine := atDynamic
	atEngine.Engine = v1alpha1.EngineKVv2
	for _, test := range []struct {
		name   string
		place  v1alpha1.VaultSource
		status int
		reason string
		says   string
	}{
		{"a POST without the right", post, 403, v1alpha1.ReasonPermissionDenied, "a policy has to grant update"},
		{"a read of KV at a path as engines have it", atEngine, 403, v1alpha1.ReasonPermissionDenied, "robots/data/creds/a: if the engine there makes credentials, set engine: Dynamic"},
		{"a GET without the right", atDynamic, 403, v1alpha1.ReasonPermissionDenied, "grant read"},
		{"a POST that the engine does not take", post, 400, v1alpha1.ReasonBadRequest, "spec.source.vault.request"},
		{"a GET where only a POST is taken", atDynamic, 405, v1alpha1.ReasonBadRequest, "set spec.source.vault.request"},
		{"a GET that is wrong", atDynamic, 400, v1alpha1.ReasonBadRequest, "check mount, path and engine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/robots/creds/a", answers(test.status, `{"errors":["hidden"]}`))
			server.handle("/v1/robots/data/creds/a", answers(test.status, `{"errors":["hidden"]}`))
			failure := newRig(t, server.URL).mustFail(test.place, test.reason)
			if !strings.Contains(failure.Message, test.says) || strings.Contains(failure.Message, "hidden") || len(failure.Message) > 300 {
				t.Errorf("it says %q, want %q", failure.Message, test.says)
			}
		})
	}
}

func TestAPostIsNeverSentToVaultsOwnPaths(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	for _, place := range []v1alpha1.VaultSource{
		{Mount: "sys", Path: "seal"}, {Mount: "auth/token", Path: "create"}, {Mount: "team", Path: "sys/seal"}, {Mount: "team/identity", Path: "entity"},
		{Mount: "robots", Path: "../sys/seal"}, {Mount: "cubbyhole", Path: "a"},
	} {
		place.Engine, place.Request = v1alpha1.EngineDynamic, &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}
		rig.mustFail(place, v1alpha1.ReasonPathNotAllowed)
	}
	if sent := server.requests(""); len(sent) > 0 {
		t.Errorf("%d requests were sent", len(sent))
	}
}

// TestWhatIsMadeAndCannotBeUsedIsGivenBack: a key that is written wrongly in the spec has an engine make a credential at every read.
func TestWhatIsMadeAndCannotBeUsedIsGivenBack(t *testing.T) {
	wrongKey, dockerConfig := atDynamic, atDynamic
	wrongKey.Keys = &v1alpha1.VaultKeys{Password: "pasword"}
	dockerConfig.Keys = &v1alpha1.VaultKeys{DockerConfig: "config"}
	for _, test := range []struct {
		name    string
		place   v1alpha1.VaultSource
		data    string
		reason  string
		revoked int
		denied  bool
	}{
		{"the spec names a key that is not there", wrongKey, `{"username":"u","password":"p"}`, v1alpha1.ReasonKeyMissing, 1, false},
		{"so, and the lease may not be revoked", wrongKey, `{"username":"u","password":"p"}`, v1alpha1.ReasonKeyMissing, 1, true},
		{"a docker config is for another registry", dockerConfig, `{"config":"{\"auths\":{\"other.example\":{\"username\":\"a\",\"password\":\"b\"}}}"}`, v1alpha1.ReasonRegistryMissing, 1, false},
		{"the value cannot be used", atDynamic, `{"username":"u","password":"a\tb"}`, v1alpha1.ReasonMalformed, 1, false},
		{"there is nothing in it", atDynamic, `{}`, v1alpha1.ReasonKeyMissing, 1, false},
		{"it is a good one", atDynamic, `{"username":"u","password":"p"}`, "", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":3600,"renewable":true,"data":`+test.data+`}`))
			if server.handle("/v1/sys/leases/revoke", answers(204, "")); test.denied {
				server.handle("/v1/sys/leases/revoke", answers(403, `{"errors":["permission denied"]}`))
			}
			_, failure := newRig(t, server.URL).read(test.place)
			revoked := len(server.requests("/v1/sys/leases/revoke"))
			if (failure == nil) != (test.reason == "") || failure != nil && (failure.Reason != test.reason || !failure.Wasted || !failure.Stalled) || revoked != test.revoked {
				t.Errorf("%+v, and %d leases were revoked", failure, revoked)
			}
		})
	}
}

func TestWhatAPostMakesIsMadeThoughNobodySaysWhenItEnds(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/robots/creds/a", answers(200, `{"data":{"username":"u","password":"p"}}`))
	r, post := newRig(t, server.URL), atDynamic
	post.Request = &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}
	if made, given := r.mustRead(post), r.mustRead(atDynamic); !made.Minted || given.Minted || !made.ExpireTime.IsZero() {
		t.Errorf("a POST makes: %t, a GET: %t", made.Minted, given.Minted)
	}
}
