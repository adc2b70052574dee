package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// material is what a connection needs beside its object: a CA, a secret ID or token, a client certificate, a login for the proxy.
type material struct {
	roots       []byte
	secret      string
	certificate *tls.Certificate
	sum         []byte // of the client certificate
	proxyLogin  dockerconfig.Credential
}

func (m material) equal(other material) bool {
	return bytes.Equal(m.roots, other.roots) && m.secret == other.secret && bytes.Equal(m.sum, other.sum) &&
		m.proxyLogin.Username() == other.proxyLogin.Username() && m.proxyLogin.Password() == other.proxyLogin.Password()
}

// collect gathers the material of a connection from the operator's own namespace, and checks it.
func (m *Manager) collect(ctx context.Context, object *v1alpha1.VaultConnection) (collected material, f *failure) {
	place := placeOf(object.Name, object.Spec.Address)
	defer func() {
		if f != nil {
			f.place = place
		}
	}()
	if t := object.Spec.TLS; t != nil && t.CAConfigMap != nil {
		if collected.roots, f = m.value(ctx, "ConfigMap", m.options.ConfigMap, *t.CAConfigMap); f != nil {
			return material{}, f
		}
	} else if t != nil {
		collected.roots = []byte(t.CABundle)
	}
	if collected.proxyLogin, f = m.proxyLogin(ctx, object.Spec.Proxy); f != nil {
		return material{}, f
	}
	chosen, named := methodFor(object.Spec.Auth)
	switch {
	case !named:
		f = outcomeConnectionRefused.at(place).advising(noMethod)
	case chosen.collect != nil:
		f = chosen.collect(ctx, m, object.Spec.Auth, &collected)
	}
	return collected, f
}

// text is a value without the white space that editors leave around it.
func (m *Manager) text(ctx context.Context, reference v1alpha1.KeyReference) (string, *failure) {
	value, f := m.secretValue(ctx, reference)
	return strings.TrimSpace(string(value)), f
}

func (m *Manager) value(ctx context.Context, kind string, read ValueReader, reference v1alpha1.KeyReference) ([]byte, *failure) {
	value, err := read(ctx, reference.Name, reference.Key)
	where := fmt.Sprintf("%s %s in the operator's namespace", kind, reference.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, outcomeConnectionRefused.at("").because(err).advising(where + " does not exist: create it, or name another one in the VaultConnection")
	case err != nil:
		return nil, outcomeLoginFailed.at("").because(err).saying(fmt.Sprintf("%s could not be read: %v", where, err))
	case len(bytes.TrimSpace(value)) == 0:
		return nil, outcomeConnectionRefused.at("").advising(fmt.Sprintf("%s has no value under key %s: write it there, or name another key in the VaultConnection", where, reference.Key))
	}
	return value, nil
}

// checkAddress says what is wrong with the address of a connection, or nothing.
func checkAddress(address string, allowed []string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "spec.address is no URL: write one such as https://vault.company.io:8200"
	case u.User != nil, strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.Fragment != "":
		return "spec.address has more than scheme, host and port: leave the rest out"
	case len(allowed) > 0 && !slices.Contains(allowed, origin(u)):
		return "the operator's flag --vault-addresses does not list this address: add it there (vault.addresses in the chart), or correct spec.address"
	}
	return ""
}
