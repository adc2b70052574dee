package gitops

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/yaml"
)

// run runs a script over an object as Argo CD does: with the libraries that it opens, of os time and date alone, and the object as obj.
func run(t *testing.T, script string, object *unstructured.Unstructured) map[string]any {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath,
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	l.PreloadModule("os", func(l *lua.LState) int {
		lua.OpenOs(l)
		all := l.CheckTable(-1)
		some := l.NewTable()
		some.RawSetString("time", all.RawGetString("time"))
		some.RawSetString("date", all.RawGetString("date"))
		l.Push(some)
		return 1
	})
	encoded, err := json.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	value, err := luajson.Decode(l, encoded)
	if err != nil {
		t.Fatal(err)
	}
	l.SetGlobal("obj", value)
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.DoString(string(text)); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	encoded, err = luajson.Encode(l.Get(-1))
	if err != nil {
		t.Fatal(err)
	}
	result := map[string]any{}
	if err := json.Unmarshal(encoded, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestArgoHealth runs the tests that lie beside the checks, in the form in which Argo CD keeps its own, and compares with the table.
func TestArgoHealth(t *testing.T) {
	found := map[string]string{}
	for _, kind := range []string{"RegistryCredential", "VaultConnection"} {
		var file struct {
			Tests []struct {
				HealthStatus struct {
					Status  string `json:"status"`
					Message string `json:"message"`
				} `json:"healthStatus"`
				InputPath string `json:"inputPath"`
			} `json:"tests"`
		}
		read(t, filepath.Join(customizations, kind, "health_test.yaml"), &file)
		for _, test := range file.Tests {
			t.Run(kind+" "+test.InputPath, func(t *testing.T) {
				got := run(t, filepath.Join(customizations, kind, "health.lua"), readObject(t, filepath.Join(customizations, kind, test.InputPath)))
				want := map[string]any{"status": test.HealthStatus.Status, "message": test.HealthStatus.Message}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
				found[kind+"/"+test.InputPath] = test.HealthStatus.Status
			})
		}
	}
	for _, s := range states {
		if got := found[s.kind+"/testdata/"+s.fixture+".yaml"]; got != s.argo {
			t.Errorf("%s %s is %q in health_test.yaml, want %s", s.kind, s.fixture, got, s.argo)
		}
	}
}

func TestBothKindsHaveTheSameCheck(t *testing.T) {
	one, err := os.ReadFile(filepath.Join(customizations, "RegistryCredential", "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(customizations, "VaultConnection", "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Error("the two health.lua differ")
	}
}

// TestArgoActions: who sees which action, and that an action changes one annotation and nothing else.
func TestArgoActions(t *testing.T) {
	folder := filepath.Join(customizations, "RegistryCredential")
	var file struct {
		DiscoveryTests []struct {
			InputPath string `json:"inputPath"`
			Result    []struct {
				Name     string `json:"name"`
				Disabled bool   `json:"disabled"`
			} `json:"result"`
		} `json:"discoveryTests"`
		ActionTests []struct {
			Action             string `json:"action"`
			InputPath          string `json:"inputPath"`
			ExpectedOutputPath string `json:"expectedOutputPath"`
		} `json:"actionTests"`
	}
	read(t, filepath.Join(folder, "actions", "action_test.yaml"), &file)
	for _, test := range file.DiscoveryTests {
		got := run(t, filepath.Join(folder, "actions", "discovery.lua"), readObject(t, filepath.Join(folder, test.InputPath)))
		want := map[string]any{}
		for _, action := range test.Result {
			want[action.Name] = map[string]any{"disabled": action.Disabled}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: actions (-want +got):\n%s", test.InputPath, diff)
		}
	}
	seen := map[string]bool{}
	for _, test := range file.ActionTests {
		seen[test.Action] = true
		got := run(t, filepath.Join(folder, "actions", test.Action, "action.lua"), readObject(t, filepath.Join(folder, test.InputPath)))
		want := readObject(t, filepath.Join(folder, test.ExpectedOutputPath)).Object
		if diff := cmp.Diff(jsonOf(t, want), timeless(jsonOf(t, got))); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", test.Action, test.InputPath, diff)
		}
	}
	if len(file.DiscoveryTests) < 3 || !seen["refresh"] || !seen["confirm-removal"] {
		t.Errorf("%d discoveries and the actions %v are tested", len(file.DiscoveryTests), seen)
	}
}

func jsonOf(t *testing.T, object map[string]any) string {
	t.Helper()
	text, err := json.MarshalIndent(object, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// timeless replaces the time at which a refresh was requested by that of the expected output. A form that Kubernetes does not
// know as a time stays, and is a difference.
func timeless(text string) string {
	return regexp.MustCompile(`(refresh-requested-at": ")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(text, "${1}2026-03-01T12:00:00Z")
}

// TestThePageShowsTheCheckAsItIs: whoever copies it from docs/gitops.md gets the same.
func TestThePageShowsTheCheckAsItIs(t *testing.T) {
	page, err := os.ReadFile("../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	check, err := os.ReadFile(filepath.Join(customizations, "RegistryCredential", "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, append([]byte("```lua\n"), append(check, []byte("```\n")...)...)) {
		t.Error("docs/gitops.md does not hold health.lua word for word")
	}
}
