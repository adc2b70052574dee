package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// unusedFor is how long an artifact stays in the cache after its last use.
const unusedFor = 14 * 24 * time.Hour

// Cache is a folder of built artifacts. Any number of processes may use it at the same time.
type Cache struct {
	// Root is the folder.
	Root string
	// Source is the folder of the cluster's Go modules.
	Source string
	// Progress takes what a person wants to know while it takes long.
	Progress io.Writer
}

// DefaultRoot is $REGCRED_CACHE, else the folder regcred in the user's cache folder ($XDG_CACHE_HOME, ~/.cache).
func DefaultRoot() (string, error) {
	if root := os.Getenv("REGCRED_CACHE"); root != "" {
		return filepath.Abs(root)
	}
	if root := os.Getenv("XDG_CACHE_HOME"); root != "" {
		return filepath.Join(root, "regcred"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache, set REGCRED_CACHE to a folder: %w", err)
	}
	return filepath.Join(home, ".cache", "regcred"), nil
}

// Ensure builds what is missing of the given artifacts and returns the folder of each by its name.
func (c Cache) Ensure(ctx context.Context, artifacts []Artifact) (map[string]string, error) {
	toolchain, err := goEnv(ctx, "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT")
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for _, artifact := range artifacts {
		folder, err := c.ensure(ctx, artifact, toolchain)
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", artifact.Name, err)
		}
		folders[artifact.Name] = folder
	}
	return folders, nil
}

func (c Cache) ensure(ctx context.Context, a Artifact, toolchain string) (string, error) {
	key, err := a.Key(c.Source, toolchain)
	if err != nil {
		return "", err
	}
	parent := filepath.Join(c.Root, a.Name)
	folder := filepath.Join(parent, key)
	if touch(folder) == nil {
		return folder, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(parent, "lock"), func() {
		fmt.Fprintf(c.Progress, "waiting for another process that builds %s\n", a.Name)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if touch(folder) == nil { // built while we waited
		return folder, nil
	}
	if err := c.build(ctx, a, folder); err != nil {
		return "", err
	}
	return folder, removeUnused(parent, folder)
}

// build compiles into a folder beside the final one and renames it, so a folder of the final name is always whole.
func (c Cache) build(ctx context.Context, a Artifact, folder string) error {
	args, err := a.arguments(c.Source)
	if err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(folder), "partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(partial)

	args = append(args, "-o", a.output(partial))
	command := exec.CommandContext(ctx, "go", append(args, a.Packages...)...)
	command.Dir = filepath.Join(c.Source, a.Module)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	command.Stdout, command.Stderr = c.Progress, c.Progress
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	if err := c.runWithProgress(command, a); err != nil {
		return err
	}
	for _, link := range a.Links {
		if err := os.Symlink(a.Name, filepath.Join(partial, link)); err != nil {
			return err
		}
	}
	return os.Rename(partial, folder)
}

// output is where go build writes: one package gets the artifact's name, several go into the folder by their own.
func (a Artifact) output(folder string) string {
	if len(a.Packages) == 1 {
		return filepath.Join(folder, a.Name)
	}
	return folder + string(filepath.Separator)
}

func (c Cache) runWithProgress(command *exec.Cmd, a Artifact) error {
	fmt.Fprintf(c.Progress, "building %s: up to about %s on 2 cores, once for this state of its sources\n",
		a.Name, a.Estimate)
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- command.Run() }()
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case <-minute.C:
			fmt.Fprintf(c.Progress, "building %s: %s of up to about %s\n",
				a.Name, time.Since(start).Round(time.Second), a.Estimate)
		case err := <-done:
			if err != nil {
				return err
			}
			fmt.Fprintf(c.Progress, "built %s in %s\n", a.Name, time.Since(start).Round(100*time.Millisecond))
			return nil
		}
	}
}

// touch marks the folder as used just now; it fails if there is none.
func touch(folder string) error {
	now := time.Now()
	return os.Chtimes(folder, now, now)
}

// removeUnused deletes what nobody used for long, so that the cache does not grow with every change of a source.
func removeUnused(parent, keep string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range entries {
		path := filepath.Join(parent, entry.Name())
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || path == keep || time.Since(info.ModTime()) < unusedFor {
			continue
		}
		failures = append(failures, os.RemoveAll(path))
	}
	return errors.Join(failures...)
}

func goEnv(ctx context.Context, names ...string) (string, error) {
	output, err := exec.CommandContext(ctx, "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return "", fmt.Errorf("ask the go command for its version: %w", err)
	}
	return strings.TrimSpace(string(output)) + "\n" + runtime.GOARCH, nil
}
