package vault

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"

	"regcred.dev/regcred/api/v1alpha1"
)

// authCert is made of a certificate with its key, in a Secret of the operator's namespace. The TLS connection shows it.
var authCert = method{
	name:   "cert",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.Cert != nil },
	collect: func(ctx context.Context, m *Manager, auth v1alpha1.VaultAuth, into *material) *failure {
		return m.collectCertificate(ctx, auth.Cert.SecretName, into)
	},
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		auth, body := c.spec.Auth.Cert, map[string]any{}
		if auth.Role != "" {
			body["name"] = auth.Role
		}
		return c.loginAt(ctx, auth.Mount, "cert", body)
	},
}

func (m *Manager) collectCertificate(ctx context.Context, name string, into *material) *failure {
	certificate, f := m.secretValue(ctx, v1alpha1.KeyReference{Name: name, Key: "tls.crt"})
	if f != nil {
		return f
	}
	key, f := m.secretValue(ctx, v1alpha1.KeyReference{Name: name, Key: "tls.key"})
	if f != nil {
		return f
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return outcomeConnectionRefused.at("").advising(fmt.Sprintf("tls.crt and tls.key of Secret %s are no certificate with its key: write both there", name))
	}
	sum := sha256.Sum256(certificate) // no other key fits it
	into.certificate, into.sum = &pair, sum[:]
	return nil
}
