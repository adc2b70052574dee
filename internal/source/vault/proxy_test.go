package vault

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/proxy/proxytest"
)

// behind makes a rig whose server is reached through a proxy alone: nobody else resolves its name.
func behind(t *testing.T, change ...func(*Options)) (*rig, *scripted, *proxytest.Proxy) {
	t.Helper()
	server, p := newScripted(t), proxytest.Start(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	p.Resolve(map[string]string{"vault.invalid:8200": server.Listener.Addr().String()})
	p.Want("operator", "proxied")
	r := newRig(t, "http://vault.invalid:8200", change...)
	r.setValue(proxyLogin+"/username", "operator")
	r.setValue(proxyLogin+"/password", "proxied")
	r.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.Proxy = &v1alpha1.VaultProxy{URL: p.URL, SecretName: proxyLogin}
	})
	return r, server, p
}

func TestVaultIsReachedThroughTheProxyOfTheConnection(t *testing.T) {
	r, _, p := behind(t)
	r.mustRead(atKV2)
	asked := p.Asked()
	if len(asked) == 0 || slices.ContainsFunc(asked, func(request string) bool { return request != "CONNECT vault.invalid:8200" }) {
		t.Errorf("the proxy was asked %q", asked)
	}
}

func TestAProxyThatDoesNotConnectIsNamed(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault func(*rig, *proxytest.Proxy)
		says  string
	}{
		{"it refuses the host", func(_ *rig, p *proxytest.Proxy) { p.Refuse("403 Forbidden") }, "status 403 to CONNECT"},
		{"it does not reach the server", func(_ *rig, p *proxytest.Proxy) { p.Resolve(nil) }, "status 502 to CONNECT"},
		{"it wants another login", func(r *rig, _ *proxytest.Proxy) { r.setValue(proxyLogin+"/password", "s3cret") }, "status 407 to CONNECT"},
		{"it speaks no HTTP", func(_ *rig, p *proxytest.Proxy) { p.Speak("nonsense\r\n") }, "no HTTP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, server, p := behind(t)
			test.fault(r, p)
			failure := r.mustFail(atKV2, v1alpha1.ReasonProxyFailed)
			if !strings.Contains(failure.Message, test.says) || !strings.Contains(failure.Message, p.Address) || strings.Contains(failure.Message, "s3cret") || failure.Stalled {
				t.Errorf("%+v", failure)
			}
			if n := len(server.requests("")); n != 0 {
				t.Errorf("the server got %d requests", n)
			}
		})
	}
}

func TestAProxyThatMustNotBeUsed(t *testing.T) {
	t.Run("that --vault-addresses does not list", func(t *testing.T) {
		r, _, p := behind(t, func(o *Options) { o.AllowedAddresses = []string{"http://vault.invalid:8200"} })
		if failure := r.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "--vault-addresses does not list the proxy") || len(p.Asked()) != 0 {
			t.Errorf("%+v", failure)
		}
	})
	t.Run("whose URL an older API server took", func(t *testing.T) {
		r, _, _ := behind(t)
		r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Proxy.URL = "socks5://p" })
		if failure := r.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "spec.proxy.url") {
			t.Errorf("%+v", failure)
		}
	})
	t.Run("whose Secret is for Vault", func(t *testing.T) {
		r, _, p := behind(t)
		r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Proxy.SecretName = "approle" })
		if failure := r.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "regcred.dev/proxy-auth=true") || len(p.Asked()) != 0 {
			t.Errorf("%+v", failure)
		}
	})
	t.Run("whose Secret does not exist", func(t *testing.T) {
		r, _, _ := behind(t)
		r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Proxy.SecretName = "nothing" })
		if failure := r.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "Secret nothing") {
			t.Errorf("%+v", failure)
		}
	})
}

func TestAProxyOverTLSHasACertificateOfTheCAOfTheSpec(t *testing.T) {
	r, _, p := behind(t)
	secure := httptest.NewTLSServer(p)
	t.Cleanup(secure.Close)
	over := func(bundle string) {
		r.change(func(s *v1alpha1.VaultConnectionSpec) {
			s.Proxy.URL, s.TLS = secure.URL, &v1alpha1.VaultTLS{CABundle: bundle}
		})
	}
	over(anotherCA(t))
	r.mustFail(atKV2, v1alpha1.ReasonProxyFailed)
	over(pemOf(secure.Certificate().Raw))
	r.mustRead(atKV2)
}

func TestANewLoginForTheProxyIsUsedAtOnce(t *testing.T) {
	r, _, p := behind(t)
	r.mustRead(atKV2)
	p.Want("operator", "rotated")
	r.setValue(proxyLogin+"/password", "rotated")
	r.mustRead(atKV2)
}
