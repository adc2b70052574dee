package exchange_test

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/payload"
)

// Many share the hosts of a cloud. What is wrong with the login of one is no reason to let the others wait.
func TestWhatIsWrongWithOneLoginShutsNoGateForOthers(t *testing.T) {
	access := payload.Fields{"access_token": "token-of-the-test"}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name   string
		how    *v1alpha1.VaultExchange
		at     v1alpha1.Registry
		fields payload.Fields
		change payload.Fields // what of them is another's
		answer transport      // to the other one
		ctx    context.Context
	}{
		{"a key with a line break", toECR, irish, keys, payload.Fields{"access_key": "AKIA\nEXAMPLE"}, nil, nil},
		{"a session token that is no header", toECR, irish, keys, payload.Fields{"session_token": "a\x00b"}, nil, nil},
		{"a session token of half a megabyte", toECR, irish, keys, payload.Fields{"session_token": strings.Repeat("a", 1<<19)}, answering(431, ""), nil},
		{"a key that AWS answers without a code", toECR, irish, keys, payload.Fields{"access_key": "AKIAOTHER"}, answering(400, "<html>"), nil},
		{"an account that asked too often", toECR, irish, keys, payload.Fields{"access_key": "AKIAOTHER"}, answering(400, `{"__type":"ThrottlingException"}`), nil},
		{"an account that AWS answers 429", toECR, irish, keys, payload.Fields{"access_key": "AKIAOTHER"}, answering(429, "", "Retry-After", "31536000"), nil},
		{"a reader who gives up", toECR, irish, keys, payload.Fields{"access_key": "AKIAOTHER"}, nil, gone},
		{"a tenant that asked too often", toACR, azure, principal, payload.Fields{"tenant_id": "other.io"}, answering(429, "", "Retry-After", "31536000"), nil},
		{"a principal that Entra answers with a page", toACR, azure, principal, payload.Fields{"client_id": "other"}, answering(413, "<html>"), nil},
		{"a client secret of half a megabyte", toACR, azure, principal, payload.Fields{"client_secret": strings.Repeat("a", 1<<19)}, answering(413, ""), nil},
		{"an access token that a registry answers without a code", toACR, azure, access, payload.Fields{"access_token": "other"}, answering(400, ""), nil},
		{"a reader who gives up at Entra", toACR, azure, principal, payload.Fields{"client_id": "other"}, nil, gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			good := transport(func(r *http.Request) (*http.Response, error) {
				body := `{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":2208988800}]}`
				if test.how == toACR {
					body = `{"access_token":"made","token_type":"Bearer","refresh_token":"made"}`
				}
				return answering(200, body)(r)
			})
			attacks := true
			e := exchange.New(transport(func(r *http.Request) (*http.Response, error) {
				if err := r.Context().Err(); err != nil {
					return nil, err
				}
				if attacks && test.answer != nil {
					return test.answer(r)
				}
				return good(r)
			}), time.Now)
			other := maps.Clone(test.fields)
			maps.Copy(other, test.change)
			ctx := t.Context()
			if test.ctx != nil {
				ctx = test.ctx
			}
			for range 20 {
				if _, err := e.Exchange(ctx, test.how, []v1alpha1.Registry{test.at}, other); err == nil {
					t.Fatal("there is a login")
				}
			}
			attacks = false
			if _, err := e.Exchange(t.Context(), test.how, []v1alpha1.Registry{test.at}, test.fields); err != nil {
				t.Errorf("another one waits: %v", err)
			}
		})
	}
}

// What the clouds cannot be shown is not sent, and what they give is not believed to be text.
func TestALoginWithWhatNoHeaderHolds(t *testing.T) {
	sent := 0
	e := exchange.New(transport(func(r *http.Request) (*http.Response, error) { sent++; return answering(500, "")(r) }), time.Now)
	for name, fields := range map[string]payload.Fields{
		"a key with a line break":      {"access_key": "A\nB", "secret_key": "s"},
		"a secret with a control mark": {"access_key": "A", "secret_key": "s\x1b"},
		"a long session token":         {"access_key": "A", "secret_key": "s", "session_token": strings.Repeat("a", 1<<17)},
	} {
		if _, err := e.Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, fields); err == nil || !strings.Contains(err.Error(), "access_key and secret_key") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, fields := range map[string]payload.Fields{
		"a token with a line break": {"access_token": "a\nb"},
		"a token of a megabyte":     {"access_token": strings.Repeat("a", 1<<20)},
		"a secret of a megabyte":    {"client_id": "a", "client_secret": strings.Repeat("a", 1<<20), "tenant_id": "company.io"},
	} {
		if _, err := e.Exchange(t.Context(), toACR, []v1alpha1.Registry{azure}, fields); err == nil || !strings.Contains(err.Error(), "client_id and client_secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sent != 0 {
		t.Errorf("%d requests were sent", sent)
	}
}
