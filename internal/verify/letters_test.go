package verify_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/verify"
)

// A kubelet compares the letters of hosts, and nobody else does: whoever names a registry in a flag may write it in lower case. What is said
// of it is said of the registry as the images are written.
func TestTheCaseOfLettersInAHostDecidesNothingOfHowItIsAsked(t *testing.T) {
	resolve(t, map[string]string{"registry.example.com": "127.0.0.1"})
	credential := newCredential(t, user, password)
	for _, flag := range []string{"registry.example.com", "Registry.Example.com"} {
		s := serveTLS(t, basicRegistry)
		host := "Registry.example.com:" + s.port
		file := filepath.Join(t.TempDir(), "ca.crt")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.certificate.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		roots, err := verify.RootCAs(map[string]string{flag + ":" + s.port: file})
		if err != nil {
			t.Fatal(err)
		}
		verifier := s.trusting(func(o *verify.Options) { o.RootCAs = roots })
		if got := verifier.Login(t.Context(), host, credential); got.Reason != verify.LoginAccepted || got.Registry != host {
			t.Errorf("a login, with a CA for %s: %+v", flag, got)
		}
		if got := verifier.Pull(t.Context(), host+"/team", credential, host+"/team/app:1")[0]; got.Reason != verify.PullAllowed || got.Registry != host {
			t.Errorf("a pull, with a CA for %s: %+v", flag, got)
		}
		q := verify.Question{Keys: []string{host + "/team"}, Credential: credential, Sampled: []string{host + "/team/app:1"}}
		if got := verifier.Ask(t.Context(), q); got.Proof != verify.ProvenByPull || !strings.Contains(got.Message, host) {
			t.Errorf("a question, with a CA for %s: %+v", flag, got)
		}
	}
}
