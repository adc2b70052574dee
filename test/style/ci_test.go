package style

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Whatever fails fails the whole. The real script runs, with commands in the place of its steps.
func TestEachStepOfCICanFailIt(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("..", "..", ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for path, text := range map[string]string{
		".ci/run":      string(script),
		"bin/make":     "#!/bin/sh\n[ \"$1\" != \"$FAILS\" ]\n",
		"bin/gcc":      "#!/bin/sh\n", // else the script would install one
		"hack/fuzz.sh": "#!/bin/sh\n[ \"$FAILS\" != fuzz ]\n",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []string{"", "verify", "demo", "lint", "vulncheck", "fuzz", "test"} {
		run := exec.CommandContext(t.Context(), filepath.Join(root, ".ci", "run"))
		run.Env = append(os.Environ(), "FAILS="+step, "PATH="+filepath.Join(root, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
		said, err := run.CombinedOutput()
		if failed := err != nil; failed != (step != "") {
			t.Errorf("with a failing %q: error %v\n%s", step, err, said)
		}
	}
}
