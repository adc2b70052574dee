package box

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Helm is the program that hack/tools/helm pins, which takes minutes to build once, or the one that HELM names. It is for tests of packages
// two folders below the root of the repository.
var Helm = sync.OnceValues(func() (program string, err error) {
	if program := os.Getenv("HELM"); program != "" {
		return program, nil
	}
	command := exec.Command("go", "-C", filepath.Join("..", "..", "hack", "tools", "helm"), "tool", "-n", "helm")
	command.Env, command.Stderr = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath"), os.Stderr
	output, err := command.Output()
	return strings.TrimSpace(string(output)), err
})
