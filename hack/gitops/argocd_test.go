package gitops

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// customizations is laid out as Argo CD's own folder resource_customizations, so that it can be proposed there as it is.
const customizations = "../../gitops/argocd/resource_customizations/regcred.dev"

var kinds = []string{"RegistryCredential", "VaultConnection"}

// healthTests is a health_test.yaml of Argo CD.
type healthTests struct {
	Tests []struct {
		InputPath    string            `json:"inputPath"`
		HealthStatus map[string]string `json:"healthStatus"`
	} `json:"tests"`
}

// healthCodes are those that Argo CD takes from a script.
var healthCodes = []string{"Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing"}

func TestHealthOfEachStateInArgoCD(t *testing.T) {
	for _, kind := range kinds {
		folder := filepath.Join(customizations, kind)
		script := read(t, filepath.Join(folder, "health.lua"))
		var wanted healthTests
		unmarshal(t, filepath.Join(folder, "health_test.yaml"), &wanted)
		tested := map[string]bool{}
		for _, test := range wanted.Tests {
			tested[filepath.Base(test.InputPath)] = true
			t.Run(kind+"/"+test.InputPath, func(t *testing.T) {
				got, err := runLua(t.Context(), script, object(t, filepath.Join(folder, test.InputPath)))
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]any{"status": test.HealthStatus["status"], "message": test.HealthStatus["message"]}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
				if !slices.Contains(healthCodes, test.HealthStatus["status"]) {
					t.Errorf("Argo CD knows no health %q", test.HealthStatus["status"])
				}
			})
		}
		for _, state := range states(t, kind) {
			if !tested[state] {
				t.Errorf("%s: no health is written down for %s", kind, state)
			}
		}
	}
}

// actionTests is an action_test.yaml of Argo CD.
type actionTests struct {
	DiscoveryTests []struct {
		InputPath string           `json:"inputPath"`
		Result    []map[string]any `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	} `json:"actionTests"`
}

func TestActionsInArgoCD(t *testing.T) {
	folder := filepath.Join(customizations, "RegistryCredential", "actions")
	discovery := read(t, filepath.Join(folder, "discovery.lua"))
	var wanted actionTests
	unmarshal(t, filepath.Join(folder, "action_test.yaml"), &wanted)
	if len(wanted.DiscoveryTests) < 3 || len(wanted.ActionTests) < 2 {
		t.Fatal("action_test.yaml tests too little")
	}
	for _, test := range wanted.DiscoveryTests {
		t.Run("discovery/"+test.InputPath, func(t *testing.T) {
			got, err := runLua(t.Context(), discovery, object(t, filepath.Join(folder, test.InputPath)))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			for _, action := range test.Result {
				want[action["name"].(string)] = map[string]any{"disabled": action["disabled"] == true}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
	for _, test := range wanted.ActionTests {
		t.Run(test.Action+"/"+test.InputPath, func(t *testing.T) {
			before := object(t, filepath.Join(folder, test.InputPath))
			script := read(t, filepath.Join(folder, test.Action, "action.lua"))
			got, err := runLua(t.Context(), script, before)
			if err != nil {
				t.Fatal(err)
			}
			want := floats(object(t, filepath.Join(folder, test.ExpectedOutputPath)))
			if diff := cmp.Diff(withoutTime(t, want), withoutTime(t, got)); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARemovalIsConfirmedOnlyWhereOneWaits: an action on an object that is older than what the user saw confirms nothing.
func TestARemovalIsConfirmedOnlyWhereOneWaits(t *testing.T) {
	folder := filepath.Join(customizations, "RegistryCredential")
	script := read(t, filepath.Join(folder, "actions", "confirm-removal", "action.lua"))
	if _, err := runLua(t.Context(), script, object(t, filepath.Join(folder, "testdata", "ready.yaml"))); err == nil || !strings.Contains(err.Error(), "no removal waits") {
		t.Errorf("nothing waits, and the action says: %v", err)
	}
}

// withoutTime checks that a refresh asks by a time, and leaves out which one.
func withoutTime(t *testing.T, object any) any {
	t.Helper()
	const annotation = "regcred.dev/refresh-requested-at"
	u := unstructured.Unstructured{Object: object.(map[string]any)}
	annotations := u.GetAnnotations()
	asked, there := annotations[annotation]
	if !there {
		return object
	}
	if len(asked) != len("2026-01-01T00:00:00Z") || !strings.HasSuffix(asked, "Z") {
		t.Errorf("the refresh is asked for by %q, want a time", asked)
	}
	annotations[annotation] = "a time"
	u.SetAnnotations(annotations)
	return u.Object
}

// floats makes all numbers what a script returns.
func floats(value any) any {
	switch value := value.(type) {
	case int64:
		return float64(value)
	case []any:
		for i := range value {
			value[i] = floats(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = floats(value[key])
		}
	}
	return value
}

// TestTheConfigMapHoldsTheScripts: whoever does not wait for Argo CD's own copy applies gitops/argocd/argocd-cm.yaml. UPDATE_GITOPS=1 writes it.
func TestTheConfigMapHoldsTheScripts(t *testing.T) {
	const file = "../../gitops/argocd/argocd-cm.yaml"
	data := map[string]string{}
	for _, kind := range kinds {
		data["resource.customizations.health.regcred.dev_"+kind] = read(t, filepath.Join(customizations, kind, "health.lua"))
	}
	actions := filepath.Join(customizations, "RegistryCredential", "actions")
	definitions := []map[string]string{}
	for _, name := range []string{"refresh", "confirm-removal"} {
		definitions = append(definitions, map[string]string{"name": name, "action.lua": read(t, filepath.Join(actions, name, "action.lua"))})
	}
	text, err := yaml.Marshal(map[string]any{"discovery.lua": read(t, filepath.Join(actions, "discovery.lua")), "definitions": definitions})
	if err != nil {
		t.Fatal(err)
	}
	data["resource.customizations.actions.regcred.dev_RegistryCredential"] = string(text)
	want, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "argocd-cm", "namespace": "argocd"}, "data": data,
	})
	if err != nil {
		t.Fatal(err)
	}
	want = append([]byte("# Made of resource_customizations. Apply it with --server-side: other keys of the ConfigMap stay.\n"), want...)
	if os.Getenv("UPDATE_GITOPS") != "" {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, file); got != string(want) {
		t.Errorf("%s is not what the scripts are: UPDATE_GITOPS=1 go -C hack/gitops test ./... writes it", file)
	}
	if len(slices.Collect(maps.Keys(data))) != 3 {
		t.Errorf("the ConfigMap has %d keys, want 3", len(data))
	}
}
