package vault

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// Whoever sees that logins fail restarts the operator. Its next process, or another VaultConnection with the same role, knows nothing of the wrong
// logins before: Vault counts them together, and locks the role ID at the fifth.
func TestARestartWithAWrongSecretIDLocksNobodyElseOutOfItsRole(t *testing.T) {
	const threshold = 5
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(400, `{"errors":["invalid role or secret ID"]}`))
	for range 2 {
		rig := newRig(t, server.URL)
		for range 6 { // within less than the 15 minutes after which Vault forgets
			rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
			rig.pass(loginPause + 11*time.Second)
		}
	}
	if n := len(server.requests("/v1/auth/approle/login")); n >= threshold {
		t.Errorf("%d logins count against the role ID, which is locked after %d", n, threshold)
	}
}
