package integration

import (
	"os"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

func TestVaultLoginByAppRole(t *testing.T) {
	rig := newVaultRig(t, box.VaultForTest(t, box.VaultOptions{}))
	vaultMust(t, rig.vault.Policy(t.Context(), "reader", vaultReader))
	rig.write("platform/a", "robot", "pw-1")
	rig.connectByAppRole(3600, nil, "reader")
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")
	rig.mustFail(kv2("other/a"), v1alpha1.ReasonPermissionDenied)
}

func TestVaultLoginByCertificate(t *testing.T) {
	rig := newVaultRig(t, box.VaultForTest(t, box.VaultOptions{TLS: true}))
	vaultMust(t, rig.vault.Policy(t.Context(), "reader", vaultReader))
	vaultMust(t, rig.vault.EnableCertAuth(t.Context(), "regcred", "reader"))
	rig.write("platform/a", "robot", "pw-1")
	certificate, key := rig.vault.ClientCertificate()
	rig.setValue("client", map[string]string{"tls.crt": vaultFile(t, certificate), "tls.key": vaultFile(t, key)})
	rig.setValue("ca", map[string]string{"ca.crt": vaultFile(t, rig.vault.CAFile)})
	rig.connect("default", v1alpha1.VaultAuth{Cert: &v1alpha1.CertAuth{Role: "regcred", SecretName: "client"}},
		func(s *v1alpha1.VaultConnectionSpec) {
			s.TLS = &v1alpha1.VaultTLS{CAConfigMap: &v1alpha1.KeyReference{Name: "ca", Key: "ca.crt"}}
		})
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")
}

func vaultFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	vaultMust(t, err)
	return string(content)
}
