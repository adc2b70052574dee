package vault

import (
	"net/http"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// newOpenBao is a server that answers as OpenBao 2.x does, after its sources (df6ce2c, 2026-08): its health says nothing of editions, every
// answer has the headers of its handler, and what it does not know is 404 with the text of its router. Its standbys answer reads.
func newOpenBao(t *testing.T, standby bool) *scripted {
	t.Helper()
	server := newScripted(t)
	whole := func(handler http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
			handler(w, r)
		}
	}
	health := `{"initialized":true,"sealed":false,"standby":false,"server_time_utc":1787339893,"version":"2.4.4","cluster_name":"vault-cluster-1","cluster_id":"9d1d"}`
	if standby {
		health = `{"initialized":true,"sealed":false,"standby":true,"server_time_utc":1787339893,"version":"2.4.4","cluster_name":"vault-cluster-1","cluster_id":"9d1d"}`
	}
	server.handle("/v1/sys/health", whole(answers(200, health)))
	server.handle("/v1/secret/data/a", whole(answers(200, kv2Answer(goodData))))
	server.handle("/v1/none/data/a", whole(answers(404, `{"errors":["no handler for route \"none/data/a\". route entry not found."]}`)))
	server.handle("/v1/secret/data/denied", whole(answers(403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`,
		"WWW-Authenticate", `Bearer error="insufficient_scope"`)))
	server.handle(eventsOfKV, whole(answers(404, `{"errors":["unsupported path"]}`)))
	return server
}

func TestOpenBaoIsReadFromAnyNode(t *testing.T) {
	for name, standby := range map[string]bool{"from its active node": false, "from a standby": true} {
		t.Run(name, func(t *testing.T) {
			server := newOpenBao(t, standby)
			rig := newToldRig(t, server.URL)
			if got := rig.mustRead(atKV2).Config["registry.example"].Username(); got != "robot" {
				t.Errorf("read %q", got)
			}
			rig.mustFail(v1alpha1.VaultSource{Mount: "secret", Path: "denied"}, v1alpha1.ReasonPermissionDenied)
			rig.mustFail(v1alpha1.VaultSource{Mount: "none", Path: "a"}, v1alpha1.ReasonMountNotFound)
			state, err := rig.Check(t.Context(), rig.connection)
			if err != nil || state.ServerVersion != "2.4.4" {
				t.Errorf("%+v, error %v", state, err)
			}
			rig.maintain(t.Context())
			await(t, "it is said that there are no events", func() bool { return rig.says("no events") })
		})
	}
}

// TestATokenIsRenewedThoughAStandbyOfOpenBaoDoesNotKnowItsEnd: it says the end of before the last renewals, which has passed.
func TestATokenIsRenewedThoughAStandbyOfOpenBaoDoesNotKnowItsEnd(t *testing.T) {
	for _, test := range []struct {
		name, lookup string
		renews       bool // it can be renewed
		renewals     int  // within 50 minutes
	}{
		{"the end that it knows has passed", `{"ttl":-432000,"expire_time":"2026-01-01T00:00:00Z","renewable":true}`, true, 2},
		{"so, and the token cannot be renewed now", `{"ttl":0,"expire_time":"2026-01-01T00:00:00Z","renewable":true}`, false, 50},
		{"it ends never", `{"ttl":0,"expire_time":null,"renewable":false}`, true, 0},
		{"it knows the end", `{"ttl":3600,"expire_time":"2026-01-01T00:00:00Z","renewable":true}`, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newOpenBao(t, true)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":`+test.lookup+`}`))
			if server.handle("/v1/auth/token/renew-self", answers(200, loginAnswer("secret-id"))); !test.renews {
				server.handle("/v1/auth/token/renew-self", answers(503, `{"errors":["hidden"]}`))
			}
			rig := newRig(t, server.URL)
			rig.change(func(s *v1alpha1.VaultConnectionSpec) {
				s.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "approle", Key: "id"}}}
			})
			for range 50 {
				rig.mustRead(atKV2)
				rig.pass(time.Minute)
			}
			if n := len(server.requests("/v1/auth/token/renew-self")); n < test.renewals || n > 3*test.renewals {
				t.Errorf("%d renewals in 50 minutes", n)
			}
		})
	}
}

func TestATokenThatIsAtItsMaximumIsNotRenewedOnThoughAStandbyOfOpenBaoSaysThatItCanBe(t *testing.T) {
	server := newOpenBao(t, true)
	server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{"ttl":-432000,"expire_time":"2026-01-01T00:00:00Z","renewable":true}}`))
	server.handle("/v1/auth/token/renew-self", answers(200, `{"auth":{"client_token":"x","lease_duration":3600,"renewable":false}}`))
	rig := newRig(t, server.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "approle", Key: "id"}}}
	})
	for range 50 {
		rig.mustRead(atKV2)
		rig.pass(time.Minute)
	}
	if n := len(server.requests("/v1/auth/token/renew-self")); n != 1 {
		t.Errorf("%d renewals in 50 minutes, want the one by which its end is known", n)
	}
}

// TestAStandbyOfOpenBaoThatLagsIsNoFault: OpenBao passes over the headers by which Vault has a read forwarded or made to wait. What its
// standby answers is taken for what it is, and the order of values is judged elsewhere (internal/rotation).
func TestAStandbyOfOpenBaoThatLagsIsNoFault(t *testing.T) {
	server := newOpenBao(t, true)
	rig := newRig(t, server.URL)
	for name, change := range map[string]func(*source.Request){
		"a read that is to be forwarded":       func(r *source.Request) { r.Forward = true },
		"a read that is to hold a given state": func(r *source.Request) { r.State = "djE6YQ==" },
	} {
		request := requestOf(atKV2)
		change(&request)
		snapshot, err := rig.Read(t.Context(), request)
		if err != nil || snapshot.Version != 7 {
			t.Errorf("%s: version %d, error %v", name, snapshot.Version, err)
		}
	}
}
