package integration

import (
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/box"
)

// vaultReadAll lets the tests read every mount that they make.
const vaultReadAll = `path "+/*" { capabilities = ["read"] }`

// What a real Vault answers, and what becomes of it.
func TestVaultAnswers(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	ctx, server := t.Context(), rig.vault
	vaultMust(t, server.Policy(ctx, "all", vaultReadAll))
	rig.connectByAppRole(3600, nil, "all")
	credential := map[string]any{"username": "robot", "password": "pw-1"}

	vaultMust(t, server.MountKV(ctx, "kv1", 1))
	vaultMust(t, server.WriteKV1(ctx, "kv1", "platform/a", credential))
	vaultMust(t, server.MountRegistryTokens(ctx, "robots", nil))
	vaultMust(t, server.SetTokenRole(ctx, "robots", "puller", box.TokenRole{TTLSeconds: 600}))
	rig.write("deleted", "robot", "pw")
	vaultMust(t, server.DeleteKV2(ctx, "secret", "deleted"))
	rig.write("destroyed", "robot", "pw")
	vaultMust(t, server.DestroyKV2(ctx, "secret", "destroyed", 1))
	_, err := server.WriteKV2(ctx, "secret", "number", map[string]any{"username": "robot", "password": 12345678901234567})
	vaultMust(t, err)
	_, err = server.WriteKV2(ctx, "secret", "empty", map[string]any{})
	vaultMust(t, err)

	at := func(mount, path string, engine v1alpha1.Engine) v1alpha1.VaultSource {
		return v1alpha1.VaultSource{Mount: mount, Path: path, Engine: engine}
	}
	for _, test := range []struct {
		name   string
		place  v1alpha1.VaultSource
		reason string // Read where it works
		says   string
	}{
		{"KV version 2", kv2("platform/a"), v1alpha1.ReasonRead, ""},
		{"KV version 1", at("kv1", "platform/a", v1alpha1.EngineKVv1), v1alpha1.ReasonRead, ""},
		{"a dynamic engine", at("robots", "creds/puller", v1alpha1.EngineDynamic), v1alpha1.ReasonRead, ""},
		{"a dynamic read of KV version 1", at("kv1", "platform/a", v1alpha1.EngineDynamic), v1alpha1.ReasonRead, ""},
		{"never written", kv2("nothing"), v1alpha1.ReasonSecretNotFound, "Vault has no secret there: write it"},
		{"never written, KV version 1", at("kv1", "nothing", v1alpha1.EngineKVv1), v1alpha1.ReasonSecretNotFound, "Vault has no secret there: write it"},
		{"no such role", at("robots", "creds/nobody", v1alpha1.EngineDynamic), v1alpha1.ReasonSecretNotFound, "the engine knows no such role"},
		{"deleted", kv2("deleted"), v1alpha1.ReasonSecretDeleted, "undelete"},
		{"destroyed", kv2("destroyed"), v1alpha1.ReasonSecretDeleted, "destroyed"},
		{"no such mount", at("elsewhere", "a", ""), v1alpha1.ReasonMountNotFound, "mount"},
		{"version 2 read as version 1", at("secret", "platform/a", v1alpha1.EngineKVv1), v1alpha1.ReasonWrongEngine, "engine KVv2"},
		{"version 2 read as version 1, with data/", at("secret", "data/platform/a", v1alpha1.EngineKVv1), v1alpha1.ReasonWrongEngine, "engine KVv2"},
		{"version 2 with data/ in the path", kv2("data/platform/a"), v1alpha1.ReasonSecretNotFound, "without data/"},
		{"version 1 read as version 2", at("kv1", "platform/a", v1alpha1.EngineKVv2), v1alpha1.ReasonWrongEngine, "engine KVv1"},
		{"a dynamic engine read as version 2", at("robots", "creds/puller", v1alpha1.EngineKVv2), v1alpha1.ReasonWrongEngine, "Dynamic"},
		{"a path that is written only", at("robots", "config", v1alpha1.EngineDynamic), v1alpha1.ReasonBadRequest, "check mount"},
		{"a number for a password", kv2("number"), v1alpha1.ReasonMalformed, "as text"},
		{"no keys", kv2("empty"), v1alpha1.ReasonKeyMissing, "empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, failure := rig.read(test.place)
			got := v1alpha1.ReasonRead
			if failure != nil {
				got = failure.Reason
			}
			if got != test.reason || (failure != nil && (!strings.Contains(failure.Message, test.says) || !failure.Stalled)) {
				t.Errorf("got %s: %+v; want %s and %q", got, failure, test.reason, test.says)
			}
		})
	}
}

func TestVaultRevisionsFollowTheVersions(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(3600, nil, "reader")
	first := rig.mustRead(kv2("platform/a"))
	if again := rig.mustRead(kv2("platform/a")); again.Revision != first.Revision {
		t.Error("nothing changed, and the revision did")
	}
	if age := time.Since(first.CreatedTime); age < 0 || age > time.Minute {
		t.Errorf("written at %s", first.CreatedTime)
	}
	rig.write("platform/a", "robot", "pw-2")
	second := rig.mustRead(kv2("platform/a"))
	if !strings.HasPrefix(second.Revision, "2-") || second.Revision == first.Revision {
		t.Errorf("revisions %s and %s", first.Revision, second.Revision)
	}
	vaultMust(t, rig.vault.ForgetKV2(t.Context(), "secret", "platform/a"))
	rig.mustFail(kv2("platform/a"), v1alpha1.ReasonSecretNotFound)
	rig.write("platform/a", "robot", "pw-3")
	if anew := rig.mustRead(kv2("platform/a")); !strings.HasPrefix(anew.Revision, "1-") || anew.Revision == first.Revision {
		t.Errorf("written again: revision %s, before %s", anew.Revision, first.Revision)
	}
	_, err := rig.vault.Client().Logical().WriteWithContext(t.Context(), "secret/metadata/platform/a",
		map[string]any{"custom_metadata": map[string]string{"expires_at": "2031-02-03T04:05:06Z"}})
	vaultMust(t, err)
	if end := rig.mustRead(kv2("platform/a")).ExpireTime; !end.Equal(time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)) {
		t.Errorf("ends %s", end)
	}
}

func TestVaultPoliciesDecide(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	ctx := t.Context()
	rig.connectByAppRole(36000, nil, "reader")
	rig.write("other/a", "robot", "pw-2")
	rig.mustRead(kv2("platform/a"))
	rig.mustFail(kv2("other/a"), v1alpha1.ReasonPermissionDenied)
	if n := rig.loginCount(v1alpha1.ReasonSucceeded); n != 1 {
		t.Errorf("%d logins", n)
	}

	t.Run("a policy that changes counts at once", func(t *testing.T) {
		vaultMust(t, rig.vault.Policy(ctx, "reader", vaultReader+` path "secret/data/other/*" { capabilities = ["read"] }`))
		rig.mustRead(kv2("other/a"))
	})
	t.Run("a role that gets another policy counts after a new login", func(t *testing.T) {
		vaultMust(t, rig.vault.Policy(ctx, "reader", vaultReader))
		vaultMust(t, rig.vault.Policy(ctx, "other", `path "secret/data/other/*" { capabilities = ["read"] }`))
		rig.mustFail(kv2("other/a"), v1alpha1.ReasonPermissionDenied)
		_, err := rig.vault.Client().Logical().WriteWithContext(ctx, "auth/approle/role/regcred", map[string]any{"token_policies": "reader,other"})
		vaultMust(t, err)
		rig.pass(6 * time.Minute)
		rig.mustRead(kv2("other/a"))
	})
}

func TestVaultTokensThatAreRevokedAreReplaced(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(36000, nil, "reader")
	rig.mustRead(kv2("platform/a"))
	for range 3 {
		_, err := rig.vault.Client().Logical().WriteWithContext(t.Context(), "sys/leases/revoke-prefix/auth/approle/login", nil)
		vaultMust(t, err)
		rig.pass(time.Minute)
		wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")
	}
	if n := rig.loginCount(v1alpha1.ReasonSucceeded); n != 4 {
		t.Errorf("%d logins", n)
	}
}

func TestVaultQuotasAreKept(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(3600, nil, "reader")
	rig.mustRead(kv2("platform/a"))
	vaultMust(t, rig.vault.SetRateLimit(t.Context(), "narrow", "secret/", 0.1))
	audit := rig.audit()
	var limited *source.Error
	for range 50 {
		if _, failure := rig.read(kv2("platform/a")); failure != nil {
			limited = failure
		}
	}
	if limited == nil || limited.Reason != v1alpha1.ReasonRateLimited || limited.RetryAfter <= 0 || limited.Stalled {
		t.Fatalf("%+v", limited)
	}
	read, err := audit.Count("read", "secret/data/platform/a")
	vaultMust(t, err)
	if read > 3 {
		t.Errorf("%d of 50 reads went out to a Vault that asked for fewer", read)
	}
	vaultMust(t, rig.vault.RemoveRateLimit(t.Context(), "narrow"))
	rig.pass(2 * time.Minute)
	rig.mustRead(kv2("platform/a"))
}

func TestVaultWithoutNamespacesIsRefusedWhereOneIsAskedFor(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(3600, func(s *v1alpha1.VaultConnectionSpec) { s.VaultNamespace = "platform" }, "reader")
	audit := rig.audit()
	if failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonNamespacesUnsupported); !failure.Stalled {
		t.Errorf("%+v", failure)
	}
	wantRequests(t, audit, "", "secret/", 0)
	rig.connectByAppRole(3600, nil, "reader")
	rig.mustRead(kv2("platform/a"))
}
