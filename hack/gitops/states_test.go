package gitops

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const customizations = "../../gitops/argocd/resource_customizations/regcred.dev"

// state of an object, and what each tool makes of it.
type state struct {
	kind, fixture string
	argo          string // status of Argo CD's health
	kstatus       string // what Flux, kubectl-like tools and Argo's peers compute
}

// states are all fixtures. Failed and Degraded is what waits for a person; InProgress and Progressing is what may end without one.
var states = []state{
	{"RegistryCredential", "new", "Progressing", "InProgress"},
	{"RegistryCredential", "synced", "Healthy", "Current"},
	{"RegistryCredential", "spec-changed", "Progressing", "InProgress"},
	{"RegistryCredential", "rejected", "Degraded", "Failed"},
	{"RegistryCredential", "source-missing", "Degraded", "Failed"},
	{"RegistryCredential", "removal-unconfirmed", "Degraded", "Failed"},
	{"RegistryCredential", "no-namespaces", "Progressing", "InProgress"},
	{"RegistryCredential", "vault-sealed", "Progressing", "InProgress"},
	{"RegistryCredential", "suspended", "Suspended", "InProgress"},
	{"RegistryCredential", "deleting", "Progressing", "Terminating"},
	{"VaultConnection", "new", "Progressing", "InProgress"},
	{"VaultConnection", "connected", "Healthy", "Current"},
	{"VaultConnection", "login-failed", "Degraded", "Failed"},
}

func (s state) object(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return readObject(t, filepath.Join(customizations, s.kind, "testdata", s.fixture+".yaml"))
}

func readObject(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil { // with whole numbers, as a client gives it
		t.Fatal(err)
	}
	return object
}

// TestEveryFixtureIsJudged: a fixture that no table names is judged by nobody.
func TestEveryFixtureIsJudged(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(customizations, "*", "testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		kind, fixture := filepath.Base(filepath.Dir(filepath.Dir(file))), strings.TrimSuffix(filepath.Base(file), ".yaml")
		if !slices.ContainsFunc(states, func(s state) bool { return s.kind == kind && s.fixture == fixture }) {
			t.Errorf("%s is in no table", file)
		}
	}
	if len(files) != len(states) {
		t.Errorf("%d fixtures for %d states", len(files), len(states))
	}
}
