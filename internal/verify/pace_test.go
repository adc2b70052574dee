package verify_test

import (
	"strings"
	"testing"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/verify"
)

func TestFingerprint(t *testing.T) {
	salt := []byte("0123456789abcdef")
	credential := newCredential(t, "robot", "secret")
	fingerprint := verify.Fingerprint(salt, "quay.io", credential)

	if again := verify.Fingerprint(salt, "quay.io", newCredential(t, "robot", "secret")); again != fingerprint {
		t.Errorf("the same gives %s and %s", fingerprint, again)
	}
	if path := verify.Fingerprint(salt, "quay.io/core", credential); path != fingerprint {
		t.Error("two keys of one registry have two fingerprints: the account is the same")
	}
	for _, s := range []string{"robot", "secret", "quay"} {
		if strings.Contains(fingerprint, s) {
			t.Errorf("%s holds %q", fingerprint, s)
		}
	}

	others := map[string]string{
		"another salt":     verify.Fingerprint([]byte("fedcba9876543210"), "quay.io", credential),
		"another registry": verify.Fingerprint(salt, "ghcr.io", credential),
		"another password": verify.Fingerprint(salt, "quay.io", newCredential(t, "robot", "other")),
		"another user":     verify.Fingerprint(salt, "quay.io", newCredential(t, "other", "secret")),
		"a shifted border": verify.Fingerprint(salt, "quay.io", newCredential(t, "robots", "ecret")),
		"no credential":    verify.Fingerprint(salt, "quay.io", dockerconfig.Credential{}),
	}
	seen := map[string]string{fingerprint: "the credential"}
	for name, other := range others {
		if twin, ok := seen[other]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, twin)
		}
		seen[other] = name
	}
}
