package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/ownsecret"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/verify"
)

// secretReader reads a Secret of the operator's own namespace.
type secretReader func(ctx context.Context, name string) (*corev1.Secret, error)

// registryProxy is one --registry-proxy.
type registryProxy struct {
	proxy.Rule
	secret secretReader
}

// registryProxies are the rules of --registry-proxy, as the verifier asks for them. It is nil where there are none. The first rule that
// names a host counts, then the first with "*". The error names the rule that cannot be used.
func registryProxies(texts []string, secret secretReader) (func(address string, named bool) (*proxy.Server, error), error) {
	var rules []registryProxy
	for _, text := range texts {
		rule, err := proxy.ParseRule(text)
		if err != nil {
			return nil, fmt.Errorf("--registry-proxy: %w", err)
		}
		if rule.CA != "" {
			if _, err := verify.ReadPool(rule.CA); err != nil {
				return nil, fmt.Errorf("--registry-proxy: ca: %w", err)
			}
		}
		rules = append(rules, registryProxy{rule, secret})
	}
	if len(rules) == 0 {
		return nil, nil
	}
	return func(address string, named bool) (*proxy.Server, error) {
		var fallback *registryProxy
		for i := range rules {
			covered, byName := rules[i].Covers(address)
			if byName {
				return rules[i].server(), nil
			}
			if covered && fallback == nil {
				fallback = &rules[i]
			}
		}
		switch {
		case fallback == nil:
			return nil, nil
		case !named:
			return nil, verify.ErrNotThroughProxy
		}
		return fallback.server(), nil
	}, nil
}

// server reads file and Secret for each connection, so that they may change.
func (r *registryProxy) server() *proxy.Server {
	server := &proxy.Server{URL: r.URL}
	if r.CA != "" {
		pool, err := verify.ReadPool(r.CA)
		if err != nil {
			pool = x509.NewCertPool() // nothing is trusted until the file can be read again
		}
		server.Roots = pool
	}
	if r.Secret != "" {
		server.Login = r.login
	}
	return server
}

func (r *registryProxy) login(ctx context.Context) (dockerconfig.Credential, error) {
	secret, err := r.secret(ctx, r.Secret)
	if err != nil {
		return dockerconfig.Credential{}, err
	}
	login, refused := ownsecret.ProxyLogin(secret)
	if refused != "" {
		return dockerconfig.Credential{}, errors.New(refused)
	}
	return login, nil
}
