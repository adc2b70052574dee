package integration

import (
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// Vault's community edition refuses the header that asks for the active node: it has no standbys that answer reads. The path is
// then read plainly, at the price of one more request.
func TestVaultIsAskedForTheActiveNodeAndReadPlainlyWhereItRefuses(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	proxy := newCountingProxy(t, rig.vault)
	rig.connectByAppRole(3600, func(s *v1alpha1.VaultConnectionSpec) { s.Address = proxy.address }, "reader")
	if first := rig.mustRead(kv2("platform/a")); first.Version != 1 {
		t.Errorf("version %d, want 1", first.Version)
	}
	rig.write("platform/a", "robot", "pw-2")
	before := proxy.total.Load()
	request := vaultRequest(kv2("platform/a"), time.Hour)
	request.Forward = true
	snapshot, err := rig.manager.Read(t.Context(), request)
	vaultMust(t, err)
	wantLogin(t, snapshot, "robot", "pw-2")
	if snapshot.Version != 2 {
		t.Errorf("version %d, want 2", snapshot.Version)
	}
	if requests := proxy.total.Load() - before; requests != 2 {
		t.Errorf("%d requests, want one that is refused and a plain one", requests)
	}
}
