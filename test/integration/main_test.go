package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs is the folder of what is built once for all tests.
var programs string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	for _, timeout := range []string{"START", "STOP"} { // envtest's own 20 s are too short for a busy machine
		if err := os.Setenv("KUBEBUILDER_CONTROLPLANE_"+timeout+"_TIMEOUT", "2m"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	var err error
	if programs, err = os.MkdirTemp("", "regcred-integration-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)
	return m.Run()
}

// operatorProgram is the operator's own program, built as for its image.
var operatorProgram = sync.OnceValues(func() (string, error) {
	program := filepath.Join(programs, "regcred")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/regcred")
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the operator: %w: %s", err, output)
	}
	return program, nil
})
