package vault

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestOnlyMarkedSecretsAreSentToVault(t *testing.T) {
	marked := map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed}
	for _, test := range []struct {
		name   string
		secret string
		kind   corev1.SecretType
		labels map[string]string
		want   string // a part of the refusal; empty where it may be sent
	}{
		{"a Secret with the label", "approle", corev1.SecretTypeOpaque, marked, ""},
		{"a client certificate with the label", "client", corev1.SecretTypeTLS, marked, ""},
		{"a Secret without the label", "approle", corev1.SecretTypeOpaque, nil, "kubectl -n regcred-system label secret approle regcred.dev/vault-auth=true"},
		{"a Secret whose label says no", "approle", corev1.SecretTypeOpaque, map[string]string{v1alpha1.VaultAuthLabel: "false"}, "kubectl"},
		{"a record of regcred with the label", "regcred-published-x", "regcred.dev/published-credential", marked, "is a record of regcred, and is never sent"},
		{"a copy of a record with the label", "regcred-published-x", corev1.SecretTypeOpaque, marked, "bears the name of a record"},
		{"a token of a ServiceAccount with the label", "token", corev1.SecretTypeServiceAccountToken, marked, "is a token of a ServiceAccount"},
		{"a bootstrap token with the label", "bootstrap", corev1.SecretTypeBootstrapToken, marked, "is a bootstrap token"},
		{"a pull Secret with the label", "pull", corev1.SecretTypeDockerConfigJson, marked, "is a pull Secret"},
		{"a pull Secret of the older kind with the label", "pull", corev1.SecretTypeDockercfg, marked, "is a pull Secret"},
		{"a release of Helm with the label", "sh.helm.release.v1.x.v1", "helm.sh/release.v1", marked, "is a release of Helm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := unfit(&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: test.secret, Labels: test.labels}, Type: test.kind,
			})
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("the refusal is %q", got)
			}
		})
	}
}

func TestARefusedSecretIsNotSentAndTheMessageNamesTheCommand(t *testing.T) {
	rig := newRig(t, "http://127.0.0.1:1")
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = unmarked })
	rig.setValue(unmarked+"/id", "secret-id")
	_, err := rig.Check(t.Context(), rig.connection)
	if err == nil || !strings.Contains(err.Error(), "label secret "+unmarked+" regcred.dev/vault-auth=true") {
		t.Errorf("the error is %v", err)
	}
}
