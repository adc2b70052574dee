package payload

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"regcred.dev/regcred/internal/dockerconfig"
)

// Revision names a value where its source has no versions. It gives nothing of the value away: it is keyed with a salt, because a
// plain hash of a short password can be guessed.
func Revision(salt []byte, config dockerconfig.Config) string {
	mac := hmac.New(sha256.New, salt)
	mac.Write(config.Render())
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
