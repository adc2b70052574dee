package payload

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestEntriesCanBePublishedUnderTheirHosts(t *testing.T) {
	for _, test := range []struct {
		name   string
		listed []v1alpha1.Registry
		fields Fields
		keys   Keys
		want   map[string]string
	}{
		{"a path", []v1alpha1.Registry{"ghcr.io/company"}, Fields{"username": "a", "password": "1"}, Keys{}, map[string]string{"ghcr.io": "a:1"}},
		{"a path of Docker Hub", []v1alpha1.Registry{"docker.io/company"}, Fields{"username": "a", "password": "1"}, Keys{}, map[string]string{"https://index.docker.io/v1/": "a:1"}},
		{"a port and a path", []v1alpha1.Registry{"r.example:5000/x/"}, Fields{"username": "a", "password": "1"}, Keys{}, map[string]string{"r.example:5000": "a:1"}},
		{"two paths of one host", []v1alpha1.Registry{"ghcr.io/a", "ghcr.io/b"}, Fields{"username": "a", "password": "1"}, Keys{}, map[string]string{"ghcr.io": "a:1"}},
		{"a docker config with the path alone", []v1alpha1.Registry{"ghcr.io/company"}, Fields{"config": entries("ghcr.io/company")}, asConfig, map[string]string{"ghcr.io": "0:p"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := wants(test.keys, "", test.listed...)
			want.PerHost = true
			made, err := Render(test.fields, want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, plain(made.Config)); diff != "" {
				t.Error(diff)
			}
		})
	}
	want := wants(asConfig, "", "ghcr.io/a", "ghcr.io/b")
	want.PerHost = true
	if _, err := Render(Fields{"config": entries("ghcr.io/a", "ghcr.io/b")}, want); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "at ghcr.io have different credentials, and spec.target.entryPer is Host") {
		t.Errorf("two credentials for one host: %v", err)
	}
	const two = `{"auths":{"ghcr.io/a":{"username":"u","password":"p"},"ghcr.io/b":{"username":"u","password":"other"}}}`
	if _, err := Render(Fields{"config": two}, want); !errors.Is(err, ErrMalformed) {
		t.Errorf("two passwords of one user for one host: %v", err)
	}
}
