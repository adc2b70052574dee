package vault

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// SecretReader reads a Secret of the operator's own namespace. The error is the API server's where it does not exist.
type SecretReader func(ctx context.Context, name string) (*corev1.Secret, error)

// neverSent are the types of Secrets that are sent to no server, whatever label they have: whoever edits a VaultConnection would
// otherwise read them at an address of their own.
var neverSent = map[corev1.SecretType]string{
	"regcred.dev/published-credential":   "is a record of regcred",
	corev1.SecretTypeServiceAccountToken: "is a token of a ServiceAccount",
	corev1.SecretTypeBootstrapToken:      "is a bootstrap token",
	corev1.SecretTypeDockerConfigJson:    "is a pull Secret",
	corev1.SecretTypeDockercfg:           "is a pull Secret",
	"helm.sh/release.v1":                 "is a release of Helm",
}

// recordPrefix begins the names of regcred's records. A record that somebody copied under another type is still one.
const recordPrefix = "regcred-published-"

// unfit says why a Secret must not be sent to a Vault server, or nothing. Who may label Secrets in the operator's namespace decides
// which ones are: that is more than who may edit VaultConnections.
func unfit(secret *corev1.Secret) string {
	what, never := neverSent[secret.Type]
	if !never && strings.HasPrefix(secret.Name, recordPrefix) {
		what, never = "bears the name of a record of regcred", true
	}
	where := fmt.Sprintf("Secret %s in the operator's namespace", secret.Name)
	switch {
	case never:
		return fmt.Sprintf("%s %s, and is never sent to Vault: keep the login in a Secret of its own", where, what)
	case secret.Labels[v1alpha1.VaultAuthLabel] != v1alpha1.VaultAuthAllowed:
		return fmt.Sprintf("%s may be sent to Vault only with a label: kubectl -n %s label secret %s %s=%s",
			where, secret.Namespace, secret.Name, v1alpha1.VaultAuthLabel, v1alpha1.VaultAuthAllowed)
	}
	return ""
}

// secretValue reads what a connection logs in with. All of it comes through here.
func (m *Manager) secretValue(ctx context.Context, reference v1alpha1.KeyReference) ([]byte, *failure) {
	var refused string
	value, f := m.value(ctx, "Secret", func(ctx context.Context, name, key string) ([]byte, error) {
		secret, err := m.options.Secret(ctx, name)
		if err != nil {
			return nil, err
		}
		if refused = unfit(secret); refused != "" {
			return nil, nil
		}
		return secret.Data[key], nil
	}, reference)
	if refused != "" {
		return nil, outcomeConnectionRefused.at("").saying(refused)
	}
	return value, f
}
