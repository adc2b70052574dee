package verify

import (
	"net/url"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Whatever a registry says, its realm is asked only over https, or over plain http where that was declared.
func FuzzCheckRealm(f *testing.F) {
	f.Add("https://auth.example.com/token", false)
	f.Add("http://registry.example.com/token", true)
	f.Add("http://declared.example.com:80/token", true)
	f.Add("HTTP://user@auth.example.com", true)
	f.Add("//auth.example.com", true)
	remote, err := name.NewRegistry("registry.example.com", name.Insecure)
	if err != nil {
		f.Fatal(err)
	}
	s := &session{
		options:  Options{InsecureRegistries: []string{"registry.example.com", "declared.example.com:80"}},
		registry: "registry.example.com",
		remote:   remote,
	}
	f.Fuzz(func(t *testing.T, realm string, insecure bool) {
		challenge := &transport.Challenge{Scheme: "bearer", Parameters: map[string]string{"realm": realm}, Insecure: insecure}
		if s.checkRealm(challenge) != "" {
			return
		}
		u, err := url.Parse(realm)
		if err != nil || u.Host == "" || u.User != nil {
			t.Fatalf("%q was accepted", realm)
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !insecure || !s.options.insecure(u.Host)) {
			t.Errorf("%q was accepted", realm)
		}
	})
}
