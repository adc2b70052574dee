package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildSBOM lists the modules in each program for Linux, as CycloneDX and as SPDX. They are read from the program itself.
func (r *release) buildSBOM(ctx context.Context) error {
	for _, name := range []string{operator, plugin} {
		list, err := r.modulesOf(ctx, r.program(name, r.linux()))
		if err != nil {
			return fmt.Errorf("list the modules of %s: %w", name, err)
		}
		if list, err = steady(list); err != nil {
			return fmt.Errorf("read the modules of %s: %w", name, err)
		}
		if err := os.WriteFile(r.path(name+".cdx.json"), list, 0o644); err != nil {
			return err
		}
		if list, err = spdxOf(list, name+"-"+r.version); err != nil {
			return fmt.Errorf("write the modules of %s as SPDX: %w", name, err)
		}
		if err := os.WriteFile(r.path(name+".spdx.json"), list, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// linux is the first platform of the image.
func (r *release) linux() platform {
	for _, p := range r.platforms {
		if p.os == "linux" {
			return p
		}
	}
	return allPlatforms[0] // platformsOf takes no list without one
}

func (r *release) modulesOf(ctx context.Context, program string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", "-C", filepath.Join(r.root, "hack", "tools", "cyclonedx-gomod"), "tool", "cyclonedx-gomod",
		"bin", "-json", "-noserial", "-notimestamp", "-version", r.version, program)
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	return command.Output()
}

// steady takes out how the tool that wrote the list was built: that differs between machines.
func steady(list []byte) ([]byte, error) {
	var bom map[string]any
	if err := json.Unmarshal(list, &bom); err != nil {
		return nil, err
	}
	metadata, _ := bom["metadata"].(map[string]any)
	tools, _ := metadata["tools"].([]any)
	components, _ := bom["components"].([]any)
	if len(tools) == 0 || len(components) == 0 {
		return nil, errors.New("it names no tool or no module")
	}
	for _, tool := range tools {
		if tool, ok := tool.(map[string]any); ok {
			delete(tool, "hashes")
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(bom); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
