package checkup_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/internal/checkup"
)

// schemaOf reads the schema of a CRD of this repository.
func schemaOf(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", file))
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil || len(crd.Spec.Versions) == 0 {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

func TestTheCRDsOfThisVersionLackNothing(t *testing.T) {
	for kind, file := range map[string]string{"RegistryCredential": "regcred.dev_registrycredentials.yaml", "VaultConnection": "regcred.dev_vaultconnections.yaml"} {
		if missing := checkup.MissingFields(kind, schemaOf(t, file)); len(missing) > 0 {
			t.Errorf("%s: %q", kind, missing)
		}
	}
}

func TestFieldsThatAnOlderCRDLacksAreNamed(t *testing.T) {
	schema := schemaOf(t, "regcred.dev_registrycredentials.yaml")
	spec := schema["properties"].(map[string]any)["spec"].(map[string]any)["properties"].(map[string]any)
	delete(spec["target"].(map[string]any)["properties"].(map[string]any), "attach")
	delete(spec, "verification")
	delete(spec["podRecovery"].(map[string]any)["properties"].(map[string]any), "mode")
	status := schema["properties"].(map[string]any)["status"].(map[string]any)["properties"].(map[string]any)
	namespaces := status["namespaces"].(map[string]any)["properties"].(map[string]any)
	delete(namespaces["failures"].(map[string]any)["items"].(map[string]any)["properties"].(map[string]any), "reason")
	want := []string{"spec.podRecovery.mode", "spec.target.attach", "spec.verification", "status.namespaces.failures[].reason"}
	if missing := checkup.MissingFields("RegistryCredential", schema); !slices.Equal(missing, want) {
		t.Errorf("got %q", missing)
	}
	if missing := checkup.MissingFields("VaultConnection", nil); !slices.Equal(missing, []string{"spec", "status"}) {
		t.Errorf("without a schema: %q", missing)
	}
}
