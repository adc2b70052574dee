package verify_test

import (
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/verify"
)

func TestNextTest(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		last time.Time
		want time.Time
	}{
		{"never tested: now", time.Time{}, now},
		{"tested just now: in 30 seconds", now, now.Add(30 * time.Second)},
		{"tested 10 seconds ago: in 20 seconds", now.Add(-10 * time.Second), now.Add(20 * time.Second)},
		{"tested exactly 30 seconds ago: now", now.Add(-30 * time.Second), now},
		{"tested yesterday: now", now.Add(-24 * time.Hour), now},
		{"tested by a clock that is slightly ahead", now.Add(5 * time.Second), now.Add(35 * time.Second)},
		{"tested by a clock that was wrong: now", now.Add(24 * time.Hour), now},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verify.NextTest(tt.last, now); !got.Equal(tt.want) {
				t.Errorf("NextTest = %v, want %v", got, tt.want)
			}
		})
	}
}

// A process that dies after each test and starts again at once may test once in 30 seconds and no more.
func TestACrashLoopIsHeldBack(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var last time.Time
	tested := 0
	for now := start; now.Before(start.Add(2 * time.Minute)); now = now.Add(time.Second) {
		if !verify.NextTest(last, now).After(now) {
			last = now
			tested++
		}
	}
	if tested != 4 {
		t.Errorf("tested %d times in 2 minutes, want 4", tested)
	}
}

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
