package main

import (
	"context"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/connection"
	"regcred.dev/regcred/internal/source/vault"
)

func (p *parts) connection(ctx context.Context, name string) (*v1alpha1.VaultConnection, error) {
	var connection v1alpha1.VaultConnection
	return &connection, p.Manager.GetClient().Get(ctx, client.ObjectKey{Name: name}, &connection)
}

// secret reads a Secret of the operator's own namespace, and of no other.
func (p *parts) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, p.Manager.GetClient().Get(ctx, client.ObjectKey{Namespace: p.options.namespace, Name: name}, &secret)
}

// configMapValue reads one key of a ConfigMap of the operator's own namespace. It is nil where the key is missing.
func (p *parts) configMapValue(ctx context.Context, name, key string) ([]byte, error) {
	var configMap corev1.ConfigMap
	if err := p.Manager.GetClient().Get(ctx, client.ObjectKey{Namespace: p.options.namespace, Name: name}, &configMap); err != nil {
		return nil, err
	}
	value, ok := configMap.Data[key]
	if !ok {
		return nil, nil
	}
	return []byte(value), nil
}

// requestToken requests a fresh, short token of a ServiceAccount of the operator's own namespace.
func (p *parts) requestToken(ctx context.Context, account string, audiences []string, lifetime time.Duration) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: audiences, ExpirationSeconds: ptr.To(int64(lifetime.Seconds())),
	}}
	answer, err := p.Clientset.CoreV1().ServiceAccounts(p.options.namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}

// checker gives the connection controller what it needs of the Vault client.
type checker struct{ *vault.Manager }

// Check implements connection.Checker.
func (c checker) Check(ctx context.Context, object *v1alpha1.VaultConnection) (connection.State, error) {
	state, err := c.Manager.Check(ctx, object)
	return connection.State(state), err
}
