package integration

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"regcred.dev/regcred/test/box"
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

// operatorProgram and pluginProgram are built when the first test wants them.
var (
	operatorProgram = sync.OnceValues(func() (string, error) { return box.Build("regcred", programs) })
	pluginProgram   = sync.OnceValues(func() (string, error) { return box.Build("kubectl-regcred", programs) })
)
