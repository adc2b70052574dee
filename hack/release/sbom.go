package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildSBOM lists the modules in each program, as CycloneDX. A serial number and the time would differ in each run, so they are left out.
func (r *release) buildSBOM(ctx context.Context) error {
	for _, name := range []string{operator, plugin} {
		command := exec.CommandContext(ctx, "go", "-C", filepath.Join(r.root, "hack", "tools", "cyclonedx-gomod"), "tool", "cyclonedx-gomod",
			"app", "-json", "-noserial", "-licenses=false", "-main", "cmd/"+name, "-output", r.path(name+".cdx.json"), r.root)
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "SOURCE_DATE_EPOCH=0")
		if err := command.Run(); err != nil {
			return fmt.Errorf("list the modules of %s: %w", name, err)
		}
	}
	return nil
}
