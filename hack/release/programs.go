package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platform that programs are built for.
type platform struct{ os, arch string }

var allPlatforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// platformsOf reads a list of platforms that are released, in the order in which all are listed.
func platformsOf(text string) ([]platform, error) {
	if text == "all" {
		return allPlatforms, nil
	}
	asked := strings.Split(text, ",")
	var found []platform
	for _, p := range allPlatforms {
		if slices.Contains(asked, p.String()) {
			found = append(found, p)
		}
	}
	if len(found) != len(asked) || !slices.ContainsFunc(found, func(p platform) bool { return p.os == "linux" }) {
		return nil, fmt.Errorf("--platforms %q: name platforms of %v, each once and one of Linux at least", text, allPlatforms)
	}
	return found, nil
}

func (p platform) String() string { return p.os + "/" + p.arch }

// The programs of a release: the operator and the plugin of kubectl.
const (
	operator = "regcred"
	plugin   = "kubectl-regcred"
)

func (p platform) file(program string) string {
	if p.os == "windows" {
		return program + ".exe"
	}
	return program
}

// program is where the build of one program is kept until it is packed.
func (r *release) program(name string, p platform) string {
	return r.path(filepath.Join("programs", p.os+"-"+p.arch, p.file(name)))
}

func (r *release) archive(name string, p platform) string {
	return fmt.Sprintf("%s_%s_%s_%s.tar.gz", name, r.bare(), p.os, p.arch)
}

func (r *release) buildPrograms(ctx context.Context) error {
	for _, p := range r.platforms {
		for _, name := range []string{operator, plugin} {
			if err := r.build(ctx, name, p); err != nil {
				return err
			}
			if err := r.pack(name, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// build leaves out what differs between two runs: paths, the state of the clone, and the build ID of the linker.
func (r *release) build(ctx context.Context, name string, p platform) error {
	flags := "-s -w -buildid= -X regcred.dev/regcred/internal/version.version=" + r.version
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", r.program(name, p), "./cmd/"+name)
	command.Dir, command.Stdout, command.Stderr = r.root, os.Stderr, os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off")
	if err := command.Run(); err != nil {
		return fmt.Errorf("build %s for %s/%s: %w", name, p.os, p.arch, err)
	}
	return nil
}

// pack puts a program and the licence into an archive.
func (r *release) pack(name string, p platform) error {
	program, err := os.ReadFile(r.program(name, p))
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	packed, err := archive([]file{{"LICENSE", 0o644, licence}, {p.file(name), 0o755, program}})
	if err != nil {
		return err
	}
	return os.WriteFile(r.path(r.archive(name, p)), packed, 0o644)
}
