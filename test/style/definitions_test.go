package style

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestWhoRemovesTheDefinitionsRemovesAll: a command that deletes CRDs by their names names all that config/crd has.
func TestWhoRemovesTheDefinitionsRemovesAll(t *testing.T) {
	files := definitions(t)
	texts := map[string]string{}
	for page := range markdownPages(t) {
		texts[page] = read(t, filepath.Join(root, page))
	}
	uninstall := filepath.Join("test", "install", "uninstall_test.go")
	texts[uninstall] = strings.NewReplacer(`"`, "", ",", "").Replace(read(t, filepath.Join(root, uninstall)))
	found := 0
	for path, text := range texts {
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "delete crd ") {
				continue
			}
			found++
			for _, file := range files {
				plural := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "regcred.dev_"), ".yaml")
				if !strings.Contains(line, plural+".regcred.dev") {
					t.Errorf("%s leaves %s.regcred.dev: %s", path, plural, strings.TrimSpace(line))
				}
			}
		}
	}
	if found < 3 {
		t.Errorf("%d commands were found, and there are more", found)
	}
}

// TestNoNameStandsForTwoKinds: kubectl takes a category before a short name, so `kubectl get NAME` would not give what the docs say.
func TestNoNameStandsForTwoKinds(t *testing.T) {
	kinds := map[string]string{}
	for _, file := range definitions(t) {
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal([]byte(read(t, file)), &definition); err != nil {
			t.Fatal(err)
		}
		names := definition.Spec.Names
		for _, name := range slices.Concat([]string{names.Plural, names.Singular}, names.ShortNames, names.Categories) {
			if other, taken := kinds[name]; taken {
				t.Errorf("%s stands for %s and %s", name, other, names.Kind)
			}
			kinds[name] = names.Kind
		}
	}
	if kinds["regcred"] != "RegistryCredential" {
		t.Errorf("`kubectl get regcred`, of docs/registrycredential.md, gives %q", kinds["regcred"])
	}
}

func definitions(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "regcred.dev_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
