package integration

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/hashicorp/vault/api"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/box/apiserver"
)

// newVaultWithReader starts a Vault with a policy, reader, and a secret at secret/platform/a.
func newVaultWithReader(t *testing.T, options box.VaultOptions) *vaultRig {
	t.Helper()
	rig := newVaultRig(t, box.VaultForTest(t, options))
	vaultMust(t, rig.vault.Policy(t.Context(), "reader", vaultReader))
	rig.write("platform/a", "robot", "pw-1")
	return rig
}

func TestVaultLoginByAppRole(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	rig.connectByAppRole(3600, nil, "reader")
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")

	rig.setValue("approle", map[string]string{"secret-id": "another"})
	if failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonLoginFailed); !failure.Stalled {
		t.Errorf("a refused login: %+v", failure)
	}
}

func TestVaultLoginByCertificate(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{TLS: true})
	vaultMust(t, rig.vault.EnableCertAuth(t.Context(), "regcred", "reader"))
	certificate, key := rig.vault.ClientCertificate()
	rig.setValue("client", map[string]string{"tls.crt": vaultFile(t, certificate), "tls.key": vaultFile(t, key)})
	rig.setValue("ca", map[string]string{"ca.crt": vaultFile(t, rig.vault.CAFile)})
	auth := v1alpha1.VaultAuth{Cert: &v1alpha1.CertAuth{Role: "regcred", SecretName: "client"}}
	withCA := func(s *v1alpha1.VaultConnectionSpec) {
		s.TLS = &v1alpha1.VaultTLS{CAConfigMap: &v1alpha1.KeyReference{Name: "ca", Key: "ca.crt"}}
	}
	rig.connect("default", auth, withCA)
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")

	t.Run("without a role Vault finds the one that matches", func(t *testing.T) {
		rig.connect("default", v1alpha1.VaultAuth{Cert: &v1alpha1.CertAuth{SecretName: "client"}}, withCA)
		rig.mustRead(kv2("platform/a"))
	})
	t.Run("the CA is read again when it changes", func(t *testing.T) {
		good := vaultFile(t, rig.vault.CAFile)
		rig.setValue("ca", map[string]string{"ca.crt": vaultFile(t, certificate)}) // a certificate that signed nothing
		rig.mustFail(kv2("platform/a"), v1alpha1.ReasonTLSFailed)
		rig.setValue("ca", map[string]string{"ca.crt": good})
		rig.mustRead(kv2("platform/a"))
	})
	t.Run("the server's name must be the one in its certificate", func(t *testing.T) {
		rig.connect("default", auth, withCA, func(s *v1alpha1.VaultConnectionSpec) { s.TLS.ServerName = "other.example" })
		rig.mustFail(kv2("platform/a"), v1alpha1.ReasonTLSFailed)
		rig.connect("default", auth, withCA, func(s *v1alpha1.VaultConnectionSpec) { s.TLS.ServerName = "localhost" })
		rig.mustRead(kv2("platform/a"))
	})
	t.Run("without the CA nothing is sent", func(t *testing.T) {
		audit := rig.audit()
		rig.connect("default", auth)
		rig.mustFail(kv2("platform/a"), v1alpha1.ReasonTLSFailed)
		wantRequests(t, audit, "", "auth/cert/login", 0)
	})
}

func TestVaultLoginByToken(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	newToken := func() string {
		secret, err := rig.vault.Client().Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"reader"}, TTL: "1h"})
		vaultMust(t, err)
		return secret.Auth.ClientToken
	}
	token := newToken()
	rig.setValue("vault-token", map[string]string{"token": token + "\n"})
	rig.connect("default", v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "vault-token", Key: "token"}}})
	audit := rig.audit()
	wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")

	rig.pass(45 * time.Minute)
	rig.mustRead(kv2("platform/a"))
	wantRequests(t, audit, "update", "auth/token/renew-self", 1)

	t.Run("it is never published", func(t *testing.T) {
		rig.write("platform/mirror", "robot", token)
		rig.mustFail(kv2("platform/mirror"), v1alpha1.ReasonMalformed)
		place := v1alpha1.VaultSource{Mount: "auth/token", Path: "lookup-self", Engine: v1alpha1.EngineDynamic, Keys: &v1alpha1.VaultKeys{Username: "path", Password: "id"}}
		rig.mustFail(place, v1alpha1.ReasonPathNotAllowed)
	})
	t.Run("when it is revoked, the message says so, and another one is used at once", func(t *testing.T) {
		vaultMust(t, rig.vault.Client().Auth().Token().RevokeTreeWithContext(t.Context(), token))
		rig.pass(time.Minute)
		failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonLoginFailed)
		if !strings.Contains(failure.Message, "Secret vault-token") || !failure.Stalled {
			t.Errorf("%+v", failure)
		}
		rig.setValue("vault-token", map[string]string{"token": newToken()})
		rig.mustRead(kv2("platform/a"))
	})
	wantRequests(t, audit, "update", "auth/token/revoke-self", 0)
}

// Both methods log in with tokens that a real API server issues; the kubernetes method lets that server review them.
func TestVaultLoginByServiceAccount(t *testing.T) {
	rig := newVaultWithReader(t, box.VaultOptions{})
	config := startVaultReviewer(t)
	client, err := kubernetes.NewForConfig(config)
	vaultMust(t, err)
	for _, name := range []string{"regcred-vault", "reviewer"} {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_, err := client.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{})
		vaultMust(t, err)
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reviewer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "reviewer"}},
	}, metav1.CreateOptions{})
	vaultMust(t, err)
	request := vaultTokenRequester(client)
	rig.requestToken = request
	reviewer, err := request(t.Context(), "reviewer", nil, time.Hour)
	vaultMust(t, err)

	method := box.KubernetesAuth{
		APIServer: config.Host, CA: string(config.CAData), ReviewerJWT: reviewer, Role: "regcred",
		ServiceAccount: "regcred-vault", Namespace: "default", Audience: "vault", Policies: []string{"reader"},
	}
	vaultMust(t, rig.vault.EnableKubernetesAuth(t.Context(), method))
	alone := method
	alone.Mount, alone.ReviewerJWT = "kubernetes-alone", ""
	vaultMust(t, rig.vault.EnableKubernetesAuth(t.Context(), alone))
	vaultMust(t, rig.vault.EnableJWTAuth(t.Context(), box.JWTAuth{
		PublicKeys: vaultIssuerKeys(t, client), Role: "regcred", Subject: "system:serviceaccount:default:regcred-vault",
		Audience: "vault", Policies: []string{"reader"},
	}))

	for _, test := range []struct {
		name string
		auth v1alpha1.VaultAuth
		says string // empty: it works
	}{
		{"kubernetes", v1alpha1.VaultAuth{Kubernetes: &v1alpha1.ServiceAccountAuth{Role: "regcred"}}, ""},
		{"jwt", v1alpha1.VaultAuth{JWT: &v1alpha1.ServiceAccountAuth{Role: "regcred"}}, ""},
		{"kubernetes without a reviewer", v1alpha1.VaultAuth{Kubernetes: &v1alpha1.ServiceAccountAuth{Role: "regcred", Mount: "kubernetes-alone"}}, "its reviewer's token is missing"},
		{"kubernetes, another audience", v1alpha1.VaultAuth{Kubernetes: &v1alpha1.ServiceAccountAuth{Role: "regcred", Audiences: []string{"other"}}}, "audience [other]"},
		{"jwt, another audience", v1alpha1.VaultAuth{JWT: &v1alpha1.ServiceAccountAuth{Role: "regcred", Audiences: []string{"other"}}}, "audience [other]"},
		{"jwt, another role", v1alpha1.VaultAuth{JWT: &v1alpha1.ServiceAccountAuth{Role: "other"}}, `role "other"`},
		{"jwt, no such mount", v1alpha1.VaultAuth{JWT: &v1alpha1.ServiceAccountAuth{Role: "regcred", Mount: "other"}}, "auth/other"},
		{"an account that is not there", v1alpha1.VaultAuth{JWT: &v1alpha1.ServiceAccountAuth{Role: "regcred", ServiceAccountName: "missing"}}, "ServiceAccount missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rig.connect("default", test.auth)
			if test.says == "" {
				wantLogin(t, rig.mustRead(kv2("platform/a")), "robot", "pw-1")
				return
			}
			failure := rig.mustFail(kv2("platform/a"), v1alpha1.ReasonLoginFailed)
			if !strings.Contains(failure.Message, test.says) {
				t.Errorf("the message does not say %q: %s", test.says, failure.Message)
			}
		})
	}
}

// vaultTokenRequester requests tokens as the operator does.
func vaultTokenRequester(client kubernetes.Interface) vault.TokenRequester {
	return func(ctx context.Context, account string, audiences []string, lifetime time.Duration) (string, error) {
		seconds := int64(lifetime.Seconds())
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds}}
		answer, err := client.CoreV1().ServiceAccounts("default").CreateToken(ctx, account, request, metav1.CreateOptions{})
		if err != nil {
			return "", err
		}
		return answer.Status.Token, nil
	}
}

// vaultIssuerKeys are the keys with which the API server signs tokens, as PEM.
func vaultIssuerKeys(t *testing.T, client kubernetes.Interface) []string {
	t.Helper()
	body, err := client.CoreV1().RESTClient().Get().AbsPath("/openid/v1/jwks").DoRaw(t.Context())
	vaultMust(t, err)
	var set jose.JSONWebKeySet
	vaultMust(t, json.Unmarshal(body, &set))
	var keys []string
	for _, key := range set.Keys {
		der, err := x509.MarshalPKIXPublicKey(key.Key)
		vaultMust(t, err)
		keys = append(keys, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	}
	return keys
}

// startVaultReviewer starts an API server for Vault to ask.
func startVaultReviewer(t *testing.T) *rest.Config {
	t.Helper()
	config, stop, err := apiserver.Start(&envtest.Environment{ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute})
	t.Cleanup(func() { vaultMust(t, stop()) })
	vaultMust(t, err)
	return config
}

func vaultFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	vaultMust(t, err)
	return string(content)
}

func wantRequests(t *testing.T, audit *box.Audit, operation, path string, want int) {
	t.Helper()
	got, err := audit.Count(operation, path)
	vaultMust(t, err)
	if got != want {
		t.Errorf("%d requests (%s) to %s, want %d", got, operation, path, want)
	}
}
