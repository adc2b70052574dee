package vault

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// A performance standby before Vault 1.5.4 says in these words that it does not know a token yet, which it says first where a new token looks itself up.
func TestATokenThatAStandbyOfBeforeDoesNotKnowYetIsNotThrownAway(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	var asked atomic.Int32
	server.handle("/v1/auth/token/lookup-self", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			answers(400, `{"errors":["error performing token check: failed to persist lease entry: cannot write to readonly storage"]}`)(w, r)
			return
		}
		answers(200, `{"data":{"ttl":3600,"renewable":true}}`)(w, r)
	})
	newRig(t, server.URL).mustRead(atKV2)
	if n := issued.Load(); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// That the leases of an auth mount are used up is no fault of spec.auth, and passes when some end.
func TestALoginWithoutALeaseLeftIsNotBlamedOnTheSpec(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(429, `{"errors":["request path \"auth/approle/login\": lease count quota exceeded"]}`))
	failure := newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	if failure.Stalled || strings.Contains(failure.Message, "check spec.auth") || !strings.Contains(failure.Message, "max_leases") {
		t.Errorf("%+v", failure)
	}
}
