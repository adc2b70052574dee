package vault

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// Nothing watches the Secret of a connection: a new secret ID is found by who comes back. The message says that it is used at once, and
// docs/vaultconnection.md that it is seen within about a minute.
func TestWhoeverWaitsAfterWrongSecretIDsFindsANewOneSoon(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		var login struct {
			SecretID string `json:"secret_id"`
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &login); err != nil || login.SecretID != "new" {
			answers(400, `{"errors":["invalid role or secret ID"]}`)(w, r)
			return
		}
		answers(200, loginAnswer(testToken))(w, r)
	})
	rig := newRig(t, server.URL)
	for range wrongLogins + 2 {
		wait := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed).RetryAfter
		if wait > 2*loginPause {
			t.Fatalf("after %d logins who reads comes back in %s, and nobody looks at the Secret until then", len(server.requests("/v1/auth/approle/login")), wait)
		}
		rig.pass(wait)
	}
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	state, err := rig.Check(t.Context(), object)
	if wait := state.NextLogin.Sub(rig.now()); err == nil || wait < 10*time.Minute {
		t.Errorf("the same secret ID is tried again in %s, and Vault locks the role ID: %v", wait, err)
	}
	rig.setValue("approle/id", "new")
	rig.mustRead(atKV2)
}
