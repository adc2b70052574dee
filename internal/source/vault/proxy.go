package vault

import (
	"context"
	"crypto/tls"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/ownsecret"
	"regcred.dev/regcred/internal/proxy"
)

// proxyLogin reads the login for the proxy, empty where none is named.
func (m *Manager) proxyLogin(ctx context.Context, spec *v1alpha1.VaultProxy) (dockerconfig.Credential, *failure) {
	if spec == nil || spec.SecretName == "" {
		return dockerconfig.Credential{}, nil
	}
	secret, err := m.options.Secret(ctx, spec.SecretName)
	switch {
	case apierrors.IsNotFound(err):
		return dockerconfig.Credential{}, outcomeConnectionRefused.at("").because(err).advising(fmt.Sprintf(
			"Secret %s in the operator's namespace, which spec.proxy names, does not exist: create it, or name another one", spec.SecretName))
	case err != nil:
		return dockerconfig.Credential{}, outcomeLoginFailed.at("").because(err).saying(fmt.Sprintf(
			"Secret %s in the operator's namespace, which spec.proxy names, could not be read: %v", spec.SecretName, err))
	}
	login, refused := ownsecret.ProxyLogin(secret)
	if refused != "" {
		return dockerconfig.Credential{}, outcomeConnectionRefused.at("").advising(refused)
	}
	return login, nil
}

// proxyFault says what is wrong with the proxy of a connection, or nothing. Whoever edits a connection could otherwise lead logins by
// a machine of theirs.
func (m *Manager) proxyFault(spec *v1alpha1.VaultProxy) string {
	if spec == nil {
		return ""
	}
	u, err := proxy.ParseURL(spec.URL)
	switch {
	case err != nil:
		return "spec.proxy.url cannot be used (" + err.Error() + "): correct it"
	case checkAddress(u.String(), m.allowed) != "":
		return "the operator's flag --vault-addresses does not list the proxy: add it there, or correct spec.proxy.url"
	}
	return ""
}

// proxyOf is the proxy of a connection in which proxyFault finds nothing, nil where it has none.
func proxyOf(spec *v1alpha1.VaultProxy, login dockerconfig.Credential, config *tls.Config) *proxy.Server {
	if spec == nil {
		return nil
	}
	u, _ := proxy.ParseURL(spec.URL) // it is one, says proxyFault
	return &proxy.Server{URL: u, Roots: config.RootCAs, Login: func(context.Context) (dockerconfig.Credential, error) { return login, nil }}
}
