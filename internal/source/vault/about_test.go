package vault

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// ofMount answers the question of which kind a mount is.
func ofMount(kind, version string) http.HandlerFunc {
	return answers(200, `{"data":{"type":"`+kind+`","options":{"version":"`+version+`"}}}`)
}

func TestARefusalSaysNoMoreThanIsKnown(t *testing.T) {
	post, atCreds, withData := atDynamic, atKV2, atKV2
	post.Request = &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}
	atCreds.Path, withData.Path = "creds/a", "data/a"
	for _, test := range []struct {
		name      string
		place     v1alpha1.VaultSource
		answer    http.HandlerFunc
		mount     http.HandlerFunc // nil: nobody says of which kind it is
		reason    string
		says, not string
	}{
		{"nothing is written there", atKV2, answers(404, `{"errors":[]}`), nil, v1alpha1.ReasonSecretNotFound, "write it", "403"},
		{"nothing is written at a path as engines have it", atCreds, answers(404, `{"errors":[]}`), nil, v1alpha1.ReasonSecretNotFound, "write it", "engine: Dynamic"},
		{"a path of KV is denied", atKV2, answers(403, `{"errors":[]}`), nil, v1alpha1.ReasonPermissionDenied, "a read of secret/data/a, for which a policy has to grant read", "engine: Dynamic"},
		{"a path that begins with data/ is denied, and the mount is KV version 2", withData, answers(403, `{"errors":[]}`), ofMount("kv", "2"), v1alpha1.ReasonPermissionDenied, "without data/", "grant read"},
		{"an engine fails", atDynamic, answers(400, `{"errors":["path not found"]}`), nil, v1alpha1.ReasonBadRequest, "check mount", "no such role"},
		{"an engine that takes no GET tells of a role", atDynamic, answers(405, `{"errors":["role not found"]}`), nil, v1alpha1.ReasonBadRequest, "set spec.source.vault.request", "knows no such role"},
		{"an engine fails at a POST", post, answers(500, `{"errors":[]}`), nil, v1alpha1.ReasonUnavailable, "look into Vault's log", "POST"},
		{"nobody knows the mount", atKV2, answers(404, `{"errors":[]}`), answers(204, ""), v1alpha1.ReasonSecretNotFound, "write it", "type"},
		{"the question about the mount breaks off", atKV2, answers(404, `{"errors":[]}`), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			v1alpha1.ReasonSecretNotFound, "write it", "type"},
		{"the question about the mount is refused, with an answer", atKV2, answers(404, `{"errors":[]}`), answers(403, `{"data":{"type":"aws"}}`), v1alpha1.ReasonSecretNotFound, "write it", "type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			for _, path := range []string{"secret/data/a", "secret/data/creds/a", "secret/data/data/a", "robots/creds/a"} {
				server.handle("/v1/"+path, test.answer)
			}
			if test.mount != nil {
				server.handle("/v1/sys/internal/ui/mounts/secret", test.mount)
			}
			failure := newRig(t, server.URL).mustFail(test.place, test.reason)
			if !strings.Contains(failure.Message, test.says) || strings.Contains(failure.Message, test.not) {
				t.Errorf("it says %q, want %q and not %q", failure.Message, test.says, test.not)
			}
		})
	}
}

func TestWhichMountMakesAnAnswerThatOfAnotherEngine(t *testing.T) {
	for _, test := range []struct {
		name          string
		engine        v1alpha1.Engine
		kind, version string
		want          string // empty: the first look stands
	}{
		{"an engine, and it is one", v1alpha1.EngineDynamic, "aws", "2", ""},
		{"an engine, and it is KV version 1", v1alpha1.EngineDynamic, "kv", "1", ""},
		{"an engine, and it is KV version 2", v1alpha1.EngineDynamic, "kv", "2", "engine KVv2"},
		{"KV version 2, and it is", v1alpha1.EngineKVv2, "kv", "2", ""},
		{"KV version 2, and it is version 1", v1alpha1.EngineKVv2, "kv", "1", "engine KVv1"},
		{"KV version 2, and it is version 1 by its old name", v1alpha1.EngineKVv2, "generic", "", "engine KVv1"},
		{"KV version 2, and it is none", v1alpha1.EngineKVv2, "aws", "2", "engine Dynamic"},
		{"KV version 1, and it is", v1alpha1.EngineKVv1, "kv", "1", ""},
		{"KV version 1, and it is by its old name", v1alpha1.EngineKVv1, "generic", "", ""},
		{"KV version 1, and it is version 2", v1alpha1.EngineKVv1, "kv", "2", "engine KVv2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for path, hint := range map[string]string{"a": "", "data/a": "without data/"} {
				first := outcomeNeverWritten.at("x")
				got := byMount(&v1alpha1.VaultSource{Engine: test.engine, Path: path}, first, test.kind, test.version)
				switch {
				case test.want != "":
					if got.Outcome != outcomeWrongEngine || !strings.Contains(got.detail, test.want) {
						t.Errorf("%s: %+v", path, got)
					}
				case got.Outcome != outcomeNeverWritten || got.detail != "" && test.engine != v1alpha1.EngineKVv2 || test.engine == v1alpha1.EngineKVv2 && !strings.Contains(got.detail, hint) || hint == "" && got != first:
					t.Errorf("%s: %+v", path, got)
				}
			}
		})
	}
}

func TestTheKindOfAMountIsAskedForWhereItMayBeTheCause(t *testing.T) {
	deleted := `{"data":{"data":null,"metadata":{"version":3,"deletion_time":"2026-01-03T03:04:05Z","destroyed":false}}}`
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(404, deleted))
	server.handle("/v1/sys/internal/ui/mounts/secret", ofMount("aws", ""))
	newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonSecretDeleted)
	if n := len(server.requests("/v1/sys/internal/ui/mounts/secret")); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// The answer takes so long that the token has ended when it comes, and no other is to be had.
func TestWithoutATokenTheFirstLookStands(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
		rig.pass(2 * time.Hour)
		server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
		answers(404, `{"errors":[]}`)(w, r)
	})
	rig.mustFail(atKV2, v1alpha1.ReasonSecretNotFound)
}

// What fails while a token is made sure of is no answer of the path: it is told as the login's, and nobody is sent to mount and path.
func TestWhatFailsAboutATokenIsNotToldOfThePath(t *testing.T) {
	post := atDynamic
	post.Request = &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost}
	for path, namespace := range map[string]string{"/v1/auth/token/lookup-self": "", "/v1/sys/internal/ui/mounts": "platform"} {
		for name, answer := range map[string]http.HandlerFunc{
			"it may not be asked so": answers(405, `{"errors":[]}`), "a web page": answers(200, "<html>"), "no status that Vault has": answers(418, `{"errors":["role not found"]}`),
		} {
			for _, place := range []v1alpha1.VaultSource{atKV2, atDynamic, post} {
				server := newScripted(t)
				server.handle(path, answer)
				rig := newRig(t, server.URL)
				rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.VaultNamespace = namespace })
				failure := rig.mustFail(place, v1alpha1.ReasonLoginFailed)
				if failure.Stalled || !strings.Contains(failure.Message, "VaultConnection default") || strings.Contains(failure.Message, "mount") || strings.Contains(failure.Message, "request") {
					t.Errorf("%s at %s: %+v", name, path, failure)
				}
			}
		}
	}
}
