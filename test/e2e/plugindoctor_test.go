package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

// finding is one line of doctor.
type finding struct{ Check, Level, Message, Next string }

// doctor finds nothing wrong with the installation: its operator runs on the node, and led throughout.
func (q *questions) doctor(t *testing.T) {
	found := q.findings(t)
	for _, f := range found {
		if f.Level == "Problem" || f.Level == "Unknown" {
			t.Errorf("%+v", f)
		}
	}
	for _, want := range []finding{
		{Check: "Operator", Message: "Deployment regcred in namespace regcred-system: 2 of 2 pods are available"}, {Check: "Leader", Message: "leads and renews its lease"},
		{Check: "Policies", Message: "are there and deny"}, {Check: "Vault", Message: "VaultConnection default (" + s.Box.Vault.AddressInCluster + "): logged in"},
		{Check: "Registries", Message: "registries answered the operator for "}, {Check: "Your rights", Message: "you may do all"},
	} {
		if !slices.ContainsFunc(found, func(f finding) bool {
			return f.Check == want.Check && f.Level == "OK" && strings.Contains(f.Message, want.Message)
		}) {
			t.Errorf("doctor does not say that %s is OK: %s. It says %+v", want.Check, want.Message, found)
		}
	}
	q.plugin.ends(t, 0, []string{"CHECK ", "RESULT ", "FINDING", "Operator ", "OK "}, "doctor")
	q.plugin.ends(t, 2, []string{"namespace default has no Deployment", "error: the installation has problems"}, "doctor", "--operator-namespace", "default")
}

func (q *questions) findings(t *testing.T) []finding {
	t.Helper()
	var said struct{ Findings []finding }
	q.plugin.answers(t, &said, 0, "doctor")
	return said.Findings
}

// unreachable has the operator ask a registry whose name does not resolve and one that nobody serves: doctor says so in the operator's words, who
// asks from its pod.
func (q *questions) unreachable(t *testing.T) {
	for name, registry := range map[string]string{"asked-dns": "registry.nowhere.example", "asked-egress": "10.88.0.1:5999"} {
		createCredential(t, credential(name, askedPath, func(spec *v1alpha1.RegistryCredentialSpec) {
			spec.Registries, spec.Target.Namespaces = []v1alpha1.Registry{v1alpha1.Registry(registry)}, []v1alpha1.NamespaceName{askedByHand}
		}))
	}
	await(t, 30*time.Second, func(context.Context) error {
		found := q.findings(t)
		for name, words := range map[string]string{"asked-dns": "its name cannot be resolved", "asked-egress": "the connection was refused"} {
			if !slices.ContainsFunc(found, func(f finding) bool {
				return f.Check == "Registries" && f.Level == "Warning" && strings.Contains(f.Message, name) && strings.Contains(f.Message, words) && strings.Contains(f.Next, "DNS")
			}) {
				return fmt.Errorf("doctor does not say %q of %s: %+v", words, name, found)
			}
		}
		return nil
	})
}

// bundle looks for everything that the pull Secrets hold in the archive.
func (q *questions) bundle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	q.plugin.ends(t, 0, []string{"read it before you give it away"}, "doctor", "--support-bundle", file)
	archive, err := os.Open(file)
	must(t, err)
	defer archive.Close()
	plain, err := gzip.NewReader(archive)
	must(t, err)
	text, err := io.ReadAll(plain)
	must(t, err)
	var secrets corev1.SecretList
	must(t, s.Client.List(t.Context(), &secrets))
	looked := 0
	for i := range secrets.Items {
		for key, value := range secrets.Items[i].Data {
			if key == "credential" && secrets.Items[i].Namespace == scenario.SystemNamespace {
				continue // of a record: the name of its RegistryCredential
			}
			if looked++; len(value) > 7 && bytes.Contains(text, value) {
				t.Errorf("the bundle holds %s of Secret %s/%s", key, secrets.Items[i].Namespace, secrets.Items[i].Name)
			}
		}
	}
	if looked == 0 || bytes.Contains(text, []byte(canary)) {
		t.Errorf("the bundle holds a password, or there is none to look for: %d values", looked)
	}
	for _, words := range []string{"registrycredentials.json", askedPath, "Published", "regcred-system"} {
		if !bytes.Contains(text, []byte(words)) {
			t.Errorf("the bundle lacks %q", words)
		}
	}
}
