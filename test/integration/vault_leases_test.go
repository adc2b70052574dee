package integration

import (
	"context"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/box"
)

const vaultLeaser = `path "robots/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }`

var atRobots = v1alpha1.VaultSource{Mount: "robots", Path: "creds/puller", Engine: v1alpha1.EngineDynamic}

// newLeasingVault starts a Vault that leases registry users for ten minutes, to tokens that live as long as said.
func newLeasingVault(t *testing.T, tokenSeconds int, policy string) *vaultRig {
	t.Helper()
	rig := newVaultRig(t, box.VaultForTest(t, box.VaultOptions{}))
	vaultMust(t, rig.vault.Policy(t.Context(), "leaser", policy))
	vaultMust(t, rig.vault.MountRegistryTokens(t.Context(), "robots", nil))
	vaultMust(t, rig.vault.SetTokenRole(t.Context(), "robots", "puller", box.TokenRole{TTLSeconds: 600, MaxTTLSeconds: 600}))
	rig.connectByAppRole(tokenSeconds, nil, "leaser")
	return rig
}

func wantLeasesLeft(t *testing.T, rig *vaultRig, want int) {
	t.Helper()
	vaultAwait(t, "leases are revoked", func() bool {
		count, err := rig.vault.Leases(t.Context(), "robots")
		vaultMust(t, err)
		return count.Outstanding == want
	})
}

func TestVaultLeasesAreReleasedOneByOne(t *testing.T) {
	rig := newLeasingVault(t, 3600, vaultLeaser)
	first := rig.mustRead(atRobots)
	second := rig.mustRead(atRobots)
	if first.Lease == nil || second.Lease == nil || first.Lease.ID == second.Lease.ID || !first.Minted || first.Revision == second.Revision {
		t.Fatalf("leases %+v and %+v", first.Lease, second.Lease)
	}
	if left := time.Until(first.ExpireTime); left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("ends in %s", left)
	}
	vaultMust(t, rig.manager.Release(t.Context(), *first.Lease))
	wantLeasesLeft(t, rig, 1)
	vaultMust(t, rig.manager.Release(t.Context(), *first.Lease)) // again is no error
	vaultMust(t, rig.manager.Release(t.Context(), *second.Lease))
	wantLeasesLeft(t, rig, 0)
}

func TestVaultLeasesOutliveTheOperator(t *testing.T) {
	rig := newLeasingVault(t, 3600, vaultLeaser)
	lease := rig.mustRead(atRobots).Lease
	vaultMust(t, rig.manager.Close(context.Background()))
	count, err := rig.vault.Leases(t.Context(), "robots")
	vaultMust(t, err)
	if count.Outstanding != 1 {
		t.Errorf("%d leases are left after the end", count.Outstanding)
	}
	next := newVaultRig(t, rig.vault)
	next.values, next.connections = rig.values, rig.connections
	vaultMust(t, next.manager.Release(t.Context(), *lease))
	wantLeasesLeft(t, rig, 0)
}

func TestVaultLeasesEndWithTheirToken(t *testing.T) {
	rig := newLeasingVault(t, 60, vaultLeaser)
	if left := time.Until(rig.mustRead(atRobots).ExpireTime); left > time.Minute {
		t.Errorf("ends in %s, after its token", left)
	}
}

func TestVaultLeasesThatMayNotBeRevokedSayWhatToGrant(t *testing.T) {
	rig := newLeasingVault(t, 3600, `path "robots/*" { capabilities = ["read"] }`)
	snapshot := rig.mustRead(atRobots)
	err := source.AsError(rig.manager.Release(t.Context(), *snapshot.Lease))
	if err == nil || err.Reason != v1alpha1.ReasonPermissionDenied {
		t.Fatalf("%+v", err)
	}
}

func TestVaultTokensWithoutALeaseAreRevokedAtTheEnd(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(3600, nil, "reader")
	rig.mustRead(kv2("platform/a"))
	audit := rig.audit()
	vaultMust(t, rig.manager.Close(context.Background()))
	wantRequests(t, audit, "update", "auth/token/revoke-self", 1)
	if _, failure := rig.read(kv2("platform/a")); failure == nil {
		t.Error("it reads after the end")
	}
}

func TestVaultTokensWithALifetimeInTheDataHaveAnEnd(t *testing.T) {
	rig := newLeasingVault(t, 3600, vaultLeaser)
	place := v1alpha1.VaultSource{
		Mount: "robots", Path: "token/puller", Engine: v1alpha1.EngineDynamic,
		Username: "oauth2accesstoken", Keys: &v1alpha1.VaultKeys{Password: "token"},
	}
	snapshot := rig.mustRead(place)
	left := time.Until(snapshot.ExpireTime)
	if snapshot.Lease != nil || !snapshot.Minted || left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("lease %+v, minted %t, ends in %s", snapshot.Lease, snapshot.Minted, left)
	}
	if user := snapshot.Config["registry.example"].Username(); user != "oauth2accesstoken" {
		t.Errorf("user %q", user)
	}
}
