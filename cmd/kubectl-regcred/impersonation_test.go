package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Both have the code 403: who may not act as somebody else, and who acts as somebody who lacks a right.
func TestWhoMayNotActAsAnotherIsToldSo(t *testing.T) {
	const refusal = `users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope`
	commands := map[string]func(a access) error{
		"status": func(a access) error { return (&status{access: a}).run(t.Context(), &bytes.Buffer{}, nil) },
		"explain": func(a access) error {
			return (&explain{access: a, output: "text"}).run(t.Context(), &bytes.Buffer{}, nil)
		},
		"doctor": func(a access) error {
			return (&doctor{access: a, output: "text"}).run(t.Context(), &bytes.Buffer{}, &bytes.Buffer{})
		},
		"audit": func(a access) error {
			return (&auditing{access: a, output: "text"}).run(t.Context(), &bytes.Buffer{})
		},
	}
	for name, run := range commands {
		for _, test := range []struct {
			as, message string
			told        bool
		}{
			{"bob", refusal, true},
			{"bob", strings.Repeat(" ", maxRefusal) + "it is forbidden", false},
			{"bob", "it is forbidden", false},
			{"bob", `secrets "x cannot impersonate y" is forbidden: User "bob" cannot get resource "secrets" in API group "" in the namespace "shop"`, false},
			{"bob", `secrets "\" is forbidden: User \"bob\" cannot impersonate" is forbidden: User "bob" cannot get resource "secrets"`, false},
			{"", "it is forbidden", false},
		} {
			t.Run(name+" as "+test.as, func(t *testing.T) {
				s := &apiServer{answers: func(w http.ResponseWriter, r *http.Request) bool {
					if r.Header.Get("Impersonate-User") != test.as {
						t.Errorf("it asks as %q", r.Header.Get("Impersonate-User"))
					}
					if !test.told && strings.Count(r.URL.Path, "/") < 4 { // discovery, which everybody may
						return false
					}
					refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, test.message)
					return true
				}}
				a := s.start(t)
				config, err := a.ClientConfig.ClientConfig()
				if err != nil {
					t.Fatal(err)
				}
				a.ClientConfig = clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, &clientcmd.ConfigOverrides{ClusterInfo: clientcmdapi.Cluster{Server: config.Host},
					AuthInfo: clientcmdapi.AuthInfo{Impersonate: test.as}})
				err = run(a)
				if told := err != nil && strings.Contains(err.Error(), "you may not act as another user"); told != test.told {
					t.Errorf("it ends with %v", err)
				}
			})
		}
	}
}

// Built-in kinds are asked for as protobuf, and so is the refusal.
func TestARefusalToActIsReadInEachEncoding(t *testing.T) {
	for message, refuses := range map[string]bool{
		`users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope`:                          true,
		`userextras.authentication.k8s.io "x" is forbidden: User "a cannot get" cannot impersonate resource "userextras/scopes"`:                   true,
		`users is forbidden: User "alice" cannot impersonate:user-info resource "users"`:                                                           true,
		`secrets "cannot impersonate" is forbidden: User "bob" cannot get resource "secrets" in API group "" in the namespace "shop"`:              false,
		`secrets "a" is forbidden: User "x cannot impersonate" cannot get resource "secrets" in API group "" in the namespace "shop"`:              false,
		`secrets "\" is forbidden: User \"alice\" cannot impersonate" is forbidden: User "bob" cannot get resource "secrets" in API group "" in x`: false,
		"": false,
	} {
		var encoded bytes.Buffer
		status := &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusForbidden, Message: message}
		if err := protobuf.NewSerializer(scheme, scheme).Encode(status, &encoded); err != nil {
			t.Fatal(err)
		}
		if refusesToAct(encoded.Bytes()) != refuses {
			t.Errorf("%s is taken for the other", message)
		}
	}
}
