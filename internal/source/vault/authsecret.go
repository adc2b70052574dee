package vault

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/ownsecret"
)

// SecretReader reads a Secret of the operator's own namespace. The error is the API server's where it does not exist.
type SecretReader func(ctx context.Context, name string) (*corev1.Secret, error)

// secretValue reads what a connection logs in with. All of it comes through here.
func (m *Manager) secretValue(ctx context.Context, reference v1alpha1.KeyReference) ([]byte, *failure) {
	var refused string
	value, f := m.value(ctx, "Secret", func(ctx context.Context, name, key string) ([]byte, error) {
		secret, err := m.options.Secret(ctx, name)
		if err != nil {
			return nil, err
		}
		refused = ownsecret.Vault.Refusal(secret)
		return secret.Data[key], nil
	}, reference)
	if refused != "" {
		return nil, outcomeConnectionRefused.at("").advising(refused)
	}
	return value, f
}
