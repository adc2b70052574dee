package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// Fingerprint names a credential at the registry of a docker config key without giving it away, to keep the time of
// its last test. Keys of one registry that differ in their path share it. The salt is random, at least 16 bytes long
// and not public; the same salt gives the same fingerprint.
func Fingerprint(salt []byte, key string, credential dockerconfig.Credential) string {
	mac := hmac.New(sha256.New, salt)
	for _, part := range []string{registry.Host(key), credential.Username(), credential.Password()} {
		// The length keeps apart what would otherwise run together. A hash never fails to write.
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		_, _ = mac.Write([]byte(part))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
