package integration

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/proxy/proxytest"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/test/box"
)

func TestVaultThroughAProxy(t *testing.T) {
	p := proxytest.Start(t)
	p.Want("operator", "proxied")
	rig := newVaultRig(t, box.VaultForTest(t, box.VaultOptions{}), func(o *vault.Options) {
		secret := o.Secret
		o.Secret = func(ctx context.Context, name string) (*corev1.Secret, error) {
			read, err := secret(ctx, name)
			if name == "proxy-login" && err == nil {
				read.Labels = map[string]string{v1alpha1.ProxyAuthLabel: v1alpha1.VaultAuthAllowed}
			}
			return read, err
		}
	})
	rig.setValue("proxy-login", map[string]string{"username": "operator", "password": "proxied"})
	rig.connectByAppRole(3600, func(s *v1alpha1.VaultConnectionSpec) {
		s.Proxy = &v1alpha1.VaultProxy{URL: p.URL, SecretName: "proxy-login"}
	}, "reader")
	vaultMust(t, rig.vault.Policy(t.Context(), "reader", vaultReader))
	rig.write("platform/a", "robot", "pw")
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw")
	if len(p.Asked()) == 0 {
		t.Error("the proxy was not asked")
	}

	p.Want("operator", "rotated")
	rig.setValue("proxy-login", map[string]string{"username": "operator", "password": "wrong"})
	if failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonProxyFailed); !strings.Contains(failure.Message, "407") {
		t.Errorf("%+v", failure)
	}
	rig.setValue("proxy-login", map[string]string{"username": "operator", "password": "rotated"})
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw")
}
