package main

import (
	"strings"
	"testing"
)

const manifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
# a comment alone
---
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {name: company}
spec:
  registries: [registry.company.io]
---
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {name: hub}
`

func TestRegistryCredentialsAreFoundAmongOtherObjects(t *testing.T) {
	objects, err := credentialsIn([]byte("kind: Menu\nitems: {first: soup}\n---\n" + manifest))
	if err != nil || len(objects) != 2 || objects[0].Name != "company" || objects[0].Spec.Registries[0] != "registry.company.io" || objects[1].Name != "hub" {
		t.Errorf("%v: %+v", err, objects)
	}
}

func TestRegistryCredentialsAreFoundInLists(t *testing.T) {
	for name, text := range map[string]string{
		"as kubectl get -o yaml writes them": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n- {apiVersion: regcred.dev/v1alpha1, kind: RegistryCredential, metadata: {name: company}}\n",
		"a list of their own kind":           `{"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredentialList", "items": [{"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "company"}}]}`,
		"a list in a list":                   `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "company"}}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := credentialsIn([]byte(text + "\n---\n" + manifest))
			if err != nil || len(objects) != 3 || objects[0].Name != "company" {
				t.Errorf("%v: %d are found", err, len(objects))
			}
			wrong := strings.Replace(text, "name", "nome", 1)
			if _, err := credentialsIn([]byte(wrong)); err == nil || !strings.Contains(err.Error(), "document 1: item ") {
				t.Errorf("of a wrong one it is said: %v", err)
			}
		})
	}
}

func TestAManifestThatIsWrongIsSaidToBe(t *testing.T) {
	for name, text := range map[string]string{
		"a field that there is not": strings.ReplaceAll(manifest, "registries:", "registry:"),
		"a name is missing":         strings.ReplaceAll(manifest, "{name: hub}", "{}"),
		"no YAML":                   "{",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := credentialsIn([]byte(text)); err == nil || !strings.Contains(err.Error(), "document ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzCredentialsIn(f *testing.F) {
	f.Add(manifest)
	f.Add("---\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := credentialsIn([]byte(text))
		for _, object := range objects {
			if err == nil && object.Name == "" {
				t.Error("an object without a name")
			}
		}
	})
}
