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
	objects, err := credentialsIn([]byte(manifest))
	if err != nil || len(objects) != 2 || objects[0].Name != "company" || objects[0].Spec.Registries[0] != "registry.company.io" || objects[1].Name != "hub" {
		t.Errorf("%v: %+v", err, objects)
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
