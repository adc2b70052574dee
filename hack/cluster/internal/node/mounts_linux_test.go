package node

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCheckFolder(t *testing.T) {
	for folder, usable := range map[string]bool{
		"/home/me/.cache/regcred": true,
		"/var/library":            true,
		"/var/lib":                false,
		"/var/lib/me/cache":       false,
		"/run/user/1000":          false,
	} {
		if err := CheckFolder(folder); (err == nil) != usable {
			t.Errorf("%s: %v, want usable: %t", folder, err, usable)
		}
	}
}

func TestRemoveTree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "cgroup")
	if err := os.MkdirAll(filepath.Join(root, "pods", "one", "container"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"a tree", "nothing"} {
		if err := removeTree(root); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		if _, err := os.Stat(root); !os.IsNotExist(err) {
			t.Errorf("%s: still there: %v", state, err)
		}
	}
}
