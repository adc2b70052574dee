package build

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const goMod = "module example.test/tool\n\ngo 1.26.0\n"

// writeTool makes the sources of an artifact that builds in no time.
func writeTool(t *testing.T) (source string, tool Artifact) {
	t.Helper()
	source = t.TempDir()
	write(t, filepath.Join(source, "tool", "go.mod"), goMod)
	write(t, filepath.Join(source, "tool", "main.go"), "package main\n\nfunc main() { println(\"hello\") }\n")
	return source, Artifact{
		Name: "tool", Module: "tool", Packages: []string{"."}, Links: []string{"alias"}, Estimate: "a second",
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestKey(t *testing.T) {
	const toolchain = "go1.26"
	tests := map[string]struct {
		change    func(t *testing.T, module string, a *Artifact) (toolchain string)
		different bool
	}{
		"stays the same when nothing changes": {
			change: func(*testing.T, string, *Artifact) string { return toolchain },
		},
		"ignores tests and documentation": {
			change: func(t *testing.T, module string, _ *Artifact) string {
				write(t, filepath.Join(module, "main_test.go"), "package main\n")
				write(t, filepath.Join(module, "README.md"), "read me\n")
				write(t, filepath.Join(module, "testdata", "input"), "data\n")
				return toolchain
			},
		},
		"changes with a source file": {
			change: func(t *testing.T, module string, _ *Artifact) string {
				write(t, filepath.Join(module, "main.go"), "package main\n\nfunc main() {}\n")
				return toolchain
			},
			different: true,
		},
		"changes with a new file in a subfolder": {
			change: func(t *testing.T, module string, _ *Artifact) string {
				write(t, filepath.Join(module, "sub", "sub.go"), "package sub\n")
				return toolchain
			},
			different: true,
		},
		"changes with a module's version": {
			change: func(t *testing.T, module string, _ *Artifact) string {
				write(t, filepath.Join(module, "go.sum"), "example.test/other v1.0.1 h1:sum\n")
				return toolchain
			},
			different: true,
		},
		"changes with a file of a module that it is made of": {
			change: func(t *testing.T, module string, a *Artifact) string {
				shared := filepath.Join(filepath.Dir(module), "shared")
				write(t, filepath.Join(shared, "shared.go"), "package shared\n")
				a.Shared = []string{"shared"}
				return toolchain
			},
			different: true,
		},
		"changes with the tags": {
			change: func(_ *testing.T, _ string, a *Artifact) string {
				a.Tags = []string{"extra"}
				return toolchain
			},
			different: true,
		},
		"changes with the links, which are part of the folder": {
			change: func(_ *testing.T, _ string, a *Artifact) string {
				a.Links = nil
				return toolchain
			},
			different: true,
		},
		"changes with the toolchain": {
			change:    func(*testing.T, string, *Artifact) string { return "go1.27" },
			different: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source, tool := writeTool(t)
			before := mustKey(t, tool, source, toolchain)
			changed := test.change(t, filepath.Join(source, "tool"), &tool)
			after := mustKey(t, tool, source, changed)
			if different := before != after; different != test.different {
				t.Errorf("key before %s, after %s; different: %t, want %t", before, after, different, test.different)
			}
		})
	}
}

func mustKey(t *testing.T, a Artifact, source, toolchain string) string {
	t.Helper()
	key, err := a.Key(source, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEnsureBuildsOnceForConcurrentCallers(t *testing.T) {
	source, tool := writeTool(t)
	root := t.TempDir()
	outputs := make([]bytes.Buffer, 4)
	var callers sync.WaitGroup
	for i := range outputs {
		callers.Go(func() {
			cache := Cache{Root: root, Source: source, Progress: &outputs[i]}
			folders, err := cache.Ensure(t.Context(), []Artifact{tool})
			if err != nil {
				t.Error(err)
				return
			}
			for _, name := range []string{"tool", "alias"} {
				said, err := exec.Command(filepath.Join(folders["tool"], name)).CombinedOutput()
				if err != nil || string(said) != "hello\n" {
					t.Errorf("%s said %q, error %v", name, said, err)
				}
			}
		})
	}
	callers.Wait()
	builds := 0
	for i := range outputs {
		builds += strings.Count(outputs[i].String(), "built tool in")
	}
	if builds != 1 {
		t.Errorf("%d builds for %d callers, want 1", builds, len(outputs))
	}
	if partial, _ := filepath.Glob(filepath.Join(root, "tool", "partial-*")); len(partial) > 0 {
		t.Errorf("left over: %v", partial)
	}
}

func TestEnsureKeepsNothingOfAFailedBuild(t *testing.T) {
	source, tool := writeTool(t)
	write(t, filepath.Join(source, "tool", "main.go"), "package main\n\nfunc main() { nonsense }\n")
	root := t.TempDir()
	var output bytes.Buffer
	_, err := Cache{Root: root, Source: source, Progress: &output}.Ensure(t.Context(), []Artifact{tool})
	if err == nil || !strings.Contains(output.String(), "nonsense") {
		t.Errorf("error %v with output %q, want a failure that shows the compiler's words", err, output.String())
	}
	entries, err := os.ReadDir(filepath.Join(root, "tool"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "lock" {
			t.Errorf("left over: %s", entry.Name())
		}
	}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		only []string
		node bool
		want string
	}{
		{nil, true, "pause registry vault containerd kubernetes"},
		{nil, false, "pause registry vault kubernetes"},
		{[]string{"oldest"}, false, "oldest"},
	} {
		selected, err := Select(c.only, c.node, "")
		var names []string
		for _, a := range selected {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("of %q with a node (%t): %s, error %v; want %s", c.only, c.node, got, err, c.want)
		}
	}
	if _, err := Select([]string{"kubernets"}, true, ""); err == nil || !strings.Contains(err.Error(), "kubernetes") {
		t.Errorf("an unknown name gives %v, want an error that lists the known ones", err)
	}
}

func TestArtifactsTakeTheirVersionsFromTheirModules(t *testing.T) {
	for name, want := range map[string]string{
		"kubernetes": "-X k8s.io/component-base/version.gitVersion=v1.",
		"oldest":     "-X k8s.io/component-base/version.gitVersion=v1.30.",
		"containerd": "-X github.com/containerd/containerd/v2/version.Version=v2.",
	} {
		selected, err := Select([]string{name}, true, "")
		if err != nil {
			t.Fatal(err)
		}
		args, err := selected[0].arguments("../..")
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(args, " "); !strings.Contains(all, want) {
			t.Errorf("%s is built by %q, want %q in it", name, all, want)
		}
	}
}

func TestOneOfTheVersionsOfVaultIsBuilt(t *testing.T) {
	for version, module := range map[string]string{"": "vault", "1.14": "vault", "1.21": "vault121"} {
		selected, err := Select([]string{"vault"}, false, version)
		if err != nil || len(selected) != 1 || selected[0].Module != module || selected[0].Name != "vault" {
			t.Errorf("version %q: %+v, error %v", version, selected, err)
		}
	}
	if _, err := Select(nil, false, "2.0"); err == nil || !strings.Contains(err.Error(), "1.14, 1.21") {
		t.Errorf("got %v, want an error that lists what there is", err)
	}
}

func TestExportsSurviveTheShell(t *testing.T) {
	values := map[string]string{
		"PLAIN": "/a/b", "SPACE": "a b", "QUOTE": "it's", "DOLLAR": "$HOME `id`", "EMPTY": "", "LINES": "one\ntwo",
	}
	for name, want := range values {
		script := Exports(values) + "printf %s \"$" + name + "\""
		got, err := exec.Command("sh", "-c", script).Output()
		if err != nil || string(got) != want {
			t.Errorf("%s became %q, error %v; want %q", name, got, err, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	got := Environment(map[string]string{
		"kubernetes": "/c/k", "vault": "/c/v", "registry": "/c/r", "pause": "/c/p", "containerd": "/c/c", "oldest": "/c/o",
	})
	want := map[string]string{
		"KUBEBUILDER_ASSETS": "/c/k", "BOX_KUBERNETES_BIN": "/c/k/kubernetes",
		"BOX_VAULT_BIN": "/c/v/vault", "BOX_REGISTRY_BIN": "/c/r/registry", "BOX_PAUSE_BIN": "/c/p/pause",
		"BOX_OLDEST_BIN": "/c/o/oldest",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d variables, want %d: %v", len(got), len(want), got)
	}
}
