package vault

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// loginsAt has a server let everybody log in at a path, and notes what it is sent.
func loginsAt(t *testing.T, server *scripted, path string) map[string]string {
	t.Helper()
	sent := map[string]string{}
	server.handle("/v1/auth/"+path+"/login", func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		answers(200, loginAnswer(testToken))(w, r)
	})
	return sent
}

func TestAServiceAccountLogsInWithATokenForVaultAlone(t *testing.T) {
	auth := &v1alpha1.ServiceAccountAuth{Role: "regcred"}
	for _, test := range []struct {
		name, path string
		auth       v1alpha1.VaultAuth
	}{
		{"by the method kubernetes", "kubernetes", v1alpha1.VaultAuth{Kubernetes: auth}},
		{"by the method jwt", "jwt", v1alpha1.VaultAuth{JWT: auth}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			sent := loginsAt(t, server, test.path)
			rig := newRig(t, server.URL, func(o *Options) {
				o.RequestToken = func(ctx context.Context, account string, audiences []string, lifetime time.Duration) (string, error) {
					if _, ends := ctx.Deadline(); !ends || account != auth.AccountName() || !slices.Equal(audiences, auth.TokenAudiences()) || lifetime != tokenLifetime {
						t.Errorf("a token is asked for %s, for %q, of %s, with an end of the wait: %t", account, audiences, lifetime, ends)
					}
					return "fresh", nil
				}
			})
			rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth = test.auth })
			rig.mustRead(atKV2)
			if sent["role"] != "regcred" || sent["jwt"] != "fresh" {
				t.Errorf("Vault was sent %v", sent)
			}
		})
	}
}

func TestWhatALoginWithAServiceAccountCameTo(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		answer  http.HandlerFunc
		stalled bool
		says    string
		not     string
	}{
		{"the API server gives no token", errors.New("forbidden"), nil, false, "the API server gave no token for ServiceAccount", "permission denied"},
		{"Vault refuses it without a word", nil, answers(403, `{"errors":["permission denied"]}`), true, "system:auth-delegator", ""},
		{"Vault says why", nil, answers(403, `{"errors":["namespace not authorized"]}`), true, "bound_service_account_namespaces", "system:auth-delegator"},
		{"Vault fails", nil, answers(500, `{"errors":["hidden"]}`), false, "the login did not succeed", "system:auth-delegator"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			if test.answer != nil {
				server.handle("/v1/auth/kubernetes/login", test.answer)
			}
			rig := newRig(t, server.URL, func(o *Options) {
				o.RequestToken = func(context.Context, string, []string, time.Duration) (string, error) { return "fresh", test.err }
			})
			rig.change(func(s *v1alpha1.VaultConnectionSpec) {
				s.Auth = v1alpha1.VaultAuth{Kubernetes: &v1alpha1.ServiceAccountAuth{Role: "regcred"}}
			})
			failure := rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
			if failure.Stalled != test.stalled || !strings.Contains(failure.Message, test.says) || test.not != "" && strings.Contains(failure.Message, test.not) {
				t.Errorf("%+v", failure)
			}
			if test.err != nil && !errors.Is(failure, test.err) {
				t.Errorf("the cause is %v", failure.Err)
			}
		})
	}
}

func TestTheMountOfALoginIsAsTheSpecSaysOrNotUsed(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	sent := loginsAt(t, server, "team/approle")
	rig := newRig(t, server.URL)
	mount := func(mount string) {
		rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.Mount = mount })
	}
	mount("team/approle")
	rig.mustRead(atKV2)
	if sent["role_id"] != "role" || sent["secret_id"] != "secret-id" {
		t.Errorf("Vault was sent %v", sent)
	}
	before := len(server.requests(""))
	mount("../sys")
	if failure := rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "the mount of the auth method") {
		t.Errorf("%+v", failure)
	}
	for _, request := range server.requests("")[before:] {
		if request.URL.Path != "/v1/auth/token/revoke-self" { // which is that of the connection before
			t.Errorf("%s was asked for", request.URL.Path)
		}
	}
}

// presents is a server that wants a certificate of its client, and says whose it was. A connection that was replaced revokes its token while a test goes on.
func presents(t *testing.T, server *scripted) (*httptest.Server, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var names []string
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		for _, certificate := range r.TLS.PeerCertificates {
			names = append(names, certificate.Subject.CommonName)
		}
		mu.Unlock()
		server.serve(w, r)
	}))
	secure.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	return secure, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(names) }
}

func TestACertificateIsShownAndItsRoleIsSent(t *testing.T) {
	for _, role := range []string{"", "regcred"} {
		server := newScripted(t)
		server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
		sent := loginsAt(t, server, "cert")
		secure, shown := presents(t, server)
		rig := newRig(t, secure.URL)
		certificate, key := clientPair(t, "operator")
		rig.setValue("pair/tls.crt", certificate)
		rig.setValue("pair/tls.key", key)
		rig.change(func(s *v1alpha1.VaultConnectionSpec) {
			s.TLS = &v1alpha1.VaultTLS{CABundle: pemOf(secure.Certificate().Raw)}
			s.Auth = v1alpha1.VaultAuth{Cert: &v1alpha1.CertAuth{SecretName: "pair", Role: role}}
		})
		rig.mustRead(atKV2)
		if name, named := sent["name"]; name != role || named != (role != "") || !slices.Contains(shown(), "operator") {
			t.Errorf("Vault was sent %v and shown %q", sent, shown())
		}
		certificate, key = clientPair(t, "another")
		rig.setValue("pair/tls.crt", certificate)
		rig.setValue("pair/tls.key", key)
		rig.mustRead(atKV2)
		if !slices.Contains(shown(), "another") {
			t.Error("the new certificate is not shown")
		}
	}
}

func TestACertificateThatCannotBeShown(t *testing.T) {
	certificate, key := clientPair(t, "operator")
	for _, test := range []struct{ name, certificate, key, says string }{
		{"the certificate is missing", "", key, "under key tls.crt"},
		{"the key is missing", certificate, "", "under key tls.key"},
		{"it is none", "nonsense", "nonsense", "no certificate with its key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rig := newRig(t, "http://127.0.0.1:1")
			rig.setValue("pair/tls.crt", test.certificate)
			rig.setValue("pair/tls.key", test.key)
			rig.change(func(s *v1alpha1.VaultConnectionSpec) {
				s.Auth = v1alpha1.VaultAuth{Cert: &v1alpha1.CertAuth{SecretName: "pair"}}
			})
			if failure := rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, test.says) {
				t.Errorf("%+v", failure)
			}
		})
	}
}

// clientPair is a certificate with its key, as a Secret holds them.
func clientPair(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(der), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
