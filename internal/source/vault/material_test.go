package vault

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/proxy/proxytest"
)

func TestWhatAConnectionLacksIsNamed(t *testing.T) {
	ofCA := func(s *v1alpha1.VaultConnectionSpec) {
		s.TLS = &v1alpha1.VaultTLS{CAConfigMap: &v1alpha1.KeyReference{Name: "ca", Key: "ca.crt"}}
	}
	byProxy := func(s *v1alpha1.VaultConnectionSpec) {
		s.Proxy = &v1alpha1.VaultProxy{URL: "http://127.0.0.1:1", SecretName: "broken"}
	}
	for _, test := range []struct {
		name    string
		arrange func(*rig)
		reason  string
		says    string
	}{
		{"a Secret that does not exist", func(r *rig) {
			r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "other" })
		}, v1alpha1.ReasonConnectionRefused, "Secret other in the operator's namespace does not exist: create it"},
		{"a key that the Secret lacks", func(r *rig) {
			r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Key = "other" })
		}, v1alpha1.ReasonConnectionRefused, "has no value under key other"},
		{"a value of white space alone", func(r *rig) { r.setValue("approle/id", " \n") }, v1alpha1.ReasonConnectionRefused, "has no value under key id"},
		{"a Secret that cannot be read", func(r *rig) {
			r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "broken" })
		}, v1alpha1.ReasonLoginFailed, "Secret broken in the operator's namespace could not be read: no API server"},
		{"a Secret with a token that does not exist", func(r *rig) {
			given(r)
			r.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.Token.Secret.Name = "other" })
		}, v1alpha1.ReasonConnectionRefused, "Secret other in the operator's namespace does not exist: create it"},
		{"a Secret with a certificate that does not exist", func(r *rig) {
			r.change(func(s *v1alpha1.VaultConnectionSpec) {
				s.Auth = v1alpha1.VaultAuth{Cert: &v1alpha1.CertAuth{SecretName: "other"}}
			})
		}, v1alpha1.ReasonConnectionRefused, "Secret other in the operator's namespace does not exist: create it"},
		{"a ConfigMap that does not exist", func(r *rig) { r.change(ofCA) }, v1alpha1.ReasonConnectionRefused, "ConfigMap ca in the operator's namespace does not exist"},
		{"a CA that is none", func(r *rig) { r.change(ofCA); r.setValue("ca/ca.crt", "none") }, v1alpha1.ReasonConnectionRefused, "it holds no PEM certificate"},
		{"a Secret for the proxy that cannot be read", func(r *rig) { r.change(byProxy) }, v1alpha1.ReasonLoginFailed, "Secret broken in the operator's namespace, which spec.proxy names, could not be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r *rig
			r = newRig(t, "http://127.0.0.1:1", func(o *Options) {
				o.Secret = func(ctx context.Context, name string) (*corev1.Secret, error) {
					if name == "broken" {
						return nil, errors.New("no API server")
					}
					return r.secret(ctx, name)
				}
			})
			test.arrange(r)
			failure := r.mustFail(atKV2, test.reason)
			if !strings.Contains(failure.Message, test.says) || !strings.HasPrefix(failure.Message, "VaultConnection default (http://127.0.0.1:1): ") {
				t.Errorf("it says %q", failure.Message)
			}
		})
	}
}

func TestWhatMakesAnotherConnection(t *testing.T) {
	login := func(username, password string) dockerconfig.Credential {
		t.Helper()
		credential, err := dockerconfig.NewCredential(username, password)
		if err != nil {
			t.Fatal(err)
		}
		return credential
	}
	was := material{roots: []byte("ca"), secret: "id", sum: []byte("sum"), proxyLogin: login("u", "p")}
	for name, change := range map[string]func(*material){
		"another CA": func(m *material) { m.roots = []byte("cb") }, "another secret": func(m *material) { m.secret = "other" }, "another certificate": func(m *material) { m.sum = []byte("sun") },
		"another user of the proxy": func(m *material) { m.proxyLogin = login("v", "p") }, "another password of the proxy": func(m *material) { m.proxyLogin = login("u", "q") },
	} {
		is := was
		if !was.equal(is) {
			t.Fatal("it does not equal itself")
		}
		if change(&is); was.equal(is) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

// An object that was deleted and written again may have the same generation.
func TestAnObjectThatWasWrittenAgainHasAConnectionOfItsOwn(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	for i, uid := range []string{"one", "one", "two", "two"} {
		rig.mu.Lock()
		rig.connection.UID = types.UID(uid)
		rig.mu.Unlock()
		rig.mustRead(atKV2)
		if want := int32(1 + i/2); issued.Load() != want {
			t.Errorf("%d logins, want %d", issued.Load(), want)
		}
	}
}

func TestAProxyThatWantsNoLoginGetsNone(t *testing.T) {
	server, p := newScripted(t), proxytest.Start(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	p.Resolve(map[string]string{"vault.invalid:8200": server.Listener.Addr().String()})
	rig := newRig(t, "http://vault.invalid:8200")
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Proxy = &v1alpha1.VaultProxy{URL: p.URL} })
	rig.mustRead(atKV2)
	if len(p.Asked()) == 0 {
		t.Error("the proxy was not asked")
	}
}

func TestTheNameInTheServersCertificateIsTheOneOfTheSpec(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	secure, _ := presents(t, server)
	for name, good := range map[string]bool{"": true, "example.com": true, "other.invalid": false} {
		rig := newRig(t, secure.URL)
		rig.change(func(s *v1alpha1.VaultConnectionSpec) {
			s.TLS = &v1alpha1.VaultTLS{CABundle: pemOf(secure.Certificate().Raw), ServerName: name}
		})
		if _, failure := rig.read(atKV2); (failure == nil) != good || failure != nil && failure.Reason != v1alpha1.ReasonTLSFailed {
			t.Errorf("%q: %+v", name, failure)
		}
	}
}
