package style

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhoRemovesTheDefinitionsRemovesAll: a command that deletes CRDs by their names names all that config/crd has.
func TestWhoRemovesTheDefinitionsRemovesAll(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "regcred.dev_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
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

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
