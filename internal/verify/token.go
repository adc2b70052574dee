package verify

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// isAnonymous reports whether a token says of itself that it was given to nobody in particular. A token endpoint that
// ignores a wrong password gives such a token. The claim "sub" is empty for a client that did not authenticate
// (distribution's token specification). A token that is no JWT, or has no such claim, says nothing.
func isAnonymous(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Subject *string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return false
	}
	return claims.Subject != nil && *claims.Subject == ""
}
