package ownsecret

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestOnlyMarkedSecretsAreSentToAServer(t *testing.T) {
	for _, to := range []Recipient{Vault, Proxy} {
		marked := map[string]string{to.Label: v1alpha1.VaultAuthAllowed}
		never := ", and is never sent to " + to.Name + ": "
		for _, test := range []struct {
			name   string
			secret string
			kind   corev1.SecretType
			labels map[string]string
			want   string // a part of the refusal; empty where it may be sent
		}{
			{"a Secret with the label", "approle", corev1.SecretTypeOpaque, marked, ""},
			{"a client certificate with the label", "client", corev1.SecretTypeTLS, marked, ""},
			{"a Secret without the label", "approle", corev1.SecretTypeOpaque, nil, "to " + to.Name + " only with a label: kubectl -n regcred-system label secret approle " + to.Label + "=true"},
			{"a Secret whose label says no", "approle", corev1.SecretTypeOpaque, map[string]string{to.Label: "false"}, "kubectl"},
			{"a record of regcred with the label", "regcred-published-x", "regcred.dev/published-credential", marked, "is a record of regcred" + never},
			{"a record of regcred under another name", "other", "regcred.dev/published-credential", marked, "is a record of regcred" + never},
			{"a copy of a record with the label", "regcred-published-x", corev1.SecretTypeOpaque, marked, "has the name of a record of regcred" + never},
			{"a token of a ServiceAccount with the label", "token", corev1.SecretTypeServiceAccountToken, marked, "is a token of a ServiceAccount" + never},
			{"a bootstrap token with the label", "bootstrap", corev1.SecretTypeBootstrapToken, marked, "is a bootstrap token" + never},
			{"a pull Secret with the label", "pull", corev1.SecretTypeDockerConfigJson, marked, "is a pull Secret" + never},
			{"a pull Secret of the older kind with the label", "pull", corev1.SecretTypeDockercfg, marked, "is a pull Secret" + never},
			{"a release of Helm with the label", "sh.helm.release.v1.x.v1", "helm.sh/release.v1", marked, "is a release of Helm" + never},
		} {
			t.Run(to.Name+": "+test.name, func(t *testing.T) {
				// An annotation of that name is no label.
				got := to.Refusal(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
					Namespace: "regcred-system", Name: test.secret, Labels: test.labels, Annotations: map[string]string{to.Label: v1alpha1.VaultAuthAllowed},
				}, Type: test.kind})
				if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
					t.Errorf("the refusal is %q, want %q in it", got, test.want)
				}
			})
		}
	}
}

func TestALoginForAProxyIsReadFromASecretThatAllowsIt(t *testing.T) {
	allowed := map[string]string{v1alpha1.ProxyAuthLabel: v1alpha1.VaultAuthAllowed}
	login := map[string][]byte{"username": []byte("operator"), "password": []byte("s3cret\n")}
	for _, test := range []struct {
		name   string
		labels map[string]string
		data   map[string][]byte
		want   string // a part of what speaks against it
	}{
		{"with the label", allowed, login, ""},
		{"without the label", nil, login, "label secret proxy-login regcred.dev/proxy-auth=true"},
		{"with the label for Vault", map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed}, login, "may be sent to a proxy only with a label"},
		{"without a password", allowed, map[string][]byte{"username": []byte("operator")}, "the password is empty"},
		{"with a colon in the user name", allowed, map[string][]byte{"username": []byte("a:b"), "password": []byte("s3cret")}, "colon"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, refused := ProxyLogin(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: "proxy-login", Labels: test.labels}, Data: test.data})
			if (refused == "") != (test.want == "") || !strings.Contains(refused, test.want) || strings.Contains(refused, "s3cret") {
				t.Errorf("what speaks against it: %q", refused)
			}
			if test.want == "" && (got.Username() != "operator" || got.Password() != "s3cret") {
				t.Errorf("the login is %q", got.Username())
			}
		})
	}
}

func TestTheLoginForAProxyIsWhatTheSecretHolds(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "proxy", Labels: map[string]string{Proxy.Label: v1alpha1.VaultAuthAllowed}},
		Data: map[string][]byte{corev1.BasicAuthUsernameKey: []byte(" robot\n"), corev1.BasicAuthPasswordKey: []byte(" p ")}}
	login, refused := ProxyLogin(secret)
	if refused != "" || login.Username() != "robot" || login.Password() != " p " { // a space may belong to a password, and to no user name
		t.Errorf("%q: %q", refused, login.Username())
	}
	secret.Data[corev1.BasicAuthPasswordKey] = nil
	if _, refused = ProxyLogin(secret); !strings.Contains(refused, "no login for a proxy") {
		t.Errorf("without a password: %q", refused)
	}
}
