package vault

import (
	"strings"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// rotationField is in the answers of the static roles of Vault's database and LDAP engines.
const rotationField = "last_vault_rotation"

// isStatic reports whether an answer is that of a static role: the engine rotates the password of an account that is there, and a read
// makes no other. Those of AWS, Azure and Quay do not say so, but all engines name these paths alike: static-creds/NAME, with LDAP
// static-cred/NAME. Below such a path, or with a POST, a token of the account is made, as static-creds/NAME/token of Azure.
func isStatic(place *v1alpha1.VaultSource, data map[string]any) bool {
	if _, says := data[rotationField]; says {
		return true
	}
	kind, name, _ := strings.Cut(place.Path, "/")
	return (kind == "static-creds" || kind == "static-cred") && !strings.Contains(name, "/") && !place.Posts()
}

// lastRotation is when the value was put there, zero where the engine does not say.
func lastRotation(data map[string]any) time.Time {
	text, _ := data[rotationField].(string)
	at, _ := time.Parse(time.RFC3339Nano, text) // zero where it is no time
	return at
}
