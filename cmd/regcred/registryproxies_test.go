package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/verify"
)

func TestTheFirstProxyThatNamesAHostIsUsed(t *testing.T) {
	choose, err := registryProxies([]string{"url=http://all:1;hosts=*", "url=http://hub:1;hosts=*.docker.io", "url=http://late:1;hosts=auth.docker.io"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		address string
		named   bool
		want    string
	}{
		{"auth.docker.io:443", false, "hub:1"},
		{"ghcr.io:443", true, "all:1"},
	} {
		server, err := choose(test.address, test.named)
		if err != nil || server == nil || server.Address() != test.want {
			t.Errorf("%s goes through %v, %v", test.address, server, err)
		}
	}
	if _, err := choose("10.0.0.1:8443", false); !errors.Is(err, verify.ErrNotThroughProxy) {
		t.Errorf("what nobody named: %v", err)
	}
	few, err := registryProxies([]string{"url=http://hub:1;hosts=*.docker.io"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if server, err := few("ghcr.io:443", true); server != nil || err != nil {
		t.Errorf("what no rule covers is dialled directly: %v, %v", server, err)
	}
	if none, err := registryProxies(nil, nil); none != nil || err != nil {
		t.Errorf("without the flag: %v", err)
	}
	if _, err := registryProxies([]string{"url=https://p:1;hosts=*;ca=/does/not/exist"}, nil); err == nil || !strings.Contains(err.Error(), "--registry-proxy") {
		t.Errorf("a CA that is not there: %v", err)
	}
}

func TestTheLoginOfAProxyIsReadForEachConnection(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{"username": []byte("operator"), "password": []byte("first")}}
	secret.Name, secret.Namespace = "proxy-login", "regcred-system"
	choose, err := registryProxies([]string{"url=http://p:1;hosts=*;secret=proxy-login"}, func(_ context.Context, name string) (*corev1.Secret, error) {
		if name != "proxy-login" {
			return nil, errors.New("no such Secret")
		}
		return secret, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := choose("ghcr.io:443", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Login(t.Context()); err == nil || !strings.Contains(err.Error(), "regcred.dev/proxy-auth=true") {
		t.Errorf("without the label: %v", err)
	}
	secret.Labels = map[string]string{v1alpha1.ProxyAuthLabel: v1alpha1.VaultAuthAllowed}
	for _, password := range []string{"first", "second"} {
		secret.Data["password"] = []byte(password)
		if login, err := server.Login(t.Context()); err != nil || login.Password() != password {
			t.Errorf("the login is not the Secret's: %v", err)
		}
	}
}
