package vault

import (
	"strings"
	"testing"
)

// The texts are those of github.com/hashicorp/cap/jwt, which Vault's jwt method passes on.
func TestATokenOfAnotherTimeIsSaidToBeOne(t *testing.T) {
	for _, says := range []string{
		"error validating token: invalid not before (nbf) claim: token not yet valid",
		"error validating token: invalid issued at (iat) claim: token issued in the future",
		"error validating token: invalid expiration time (exp) claim: token is expired",
	} {
		if got := whyRefused(&answer{content: content{Errors: []string{says}}}); !strings.Contains(got, "clocks") {
			t.Errorf("%s: said %q", says, got)
		}
	}
}
