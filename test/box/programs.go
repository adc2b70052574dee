package box

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds a program of cmd, such as regcred, into a folder and returns its path. All tests build in this one way, which is that of the image:
// with other flags everything would be compiled once more. It is for tests of packages two folders below the root of the repository.
func Build(name, folder string) (program string, err error) {
	program = filepath.Join(folder, name)
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/"+name)
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, output)
	}
	return program, nil
}
