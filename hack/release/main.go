// Command release builds everything that a release consists of into one folder, dist by default. The same sources, version and compiler
// give the same bytes, wherever and whenever it runs; hack/reproducible.sh compares two runs. It needs the Go module proxy and nothing else.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
)

// placeholder stands where a release does not know yet to which registry its image is pushed.
const placeholder = "REGISTRY/regcred"

// release is one run.
type release struct {
	root    string // the repository
	folder  string // where everything goes
	version string // v1.2.3
	image   string // repository of the operator's image, without tag
	push    bool   // whether the image is pushed there
	// platforms that programs are built for. The image runs on those of Linux.
	platforms []platform
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := release{}
	flag.StringVar(&r.root, "root", "../..", "folder of the repository")
	flag.StringVar(&r.folder, "output", "", "folder that everything is written to; it is emptied before. Default: dist in the repository")
	flag.StringVar(&r.version, "version", "v0.0.0-dev", "version of the release, vMAJOR.MINOR.PATCH[-PRERELEASE]")
	flag.StringVar(&r.image, "image", placeholder, "repository that the operator's image will be pushed to, without a tag")
	flag.BoolVar(&r.push, "push", false, "push the image to --image, with the login of docker's configuration")
	names := flag.String("platforms", "all", "platforms that programs are built for, such as linux/amd64,linux/arm64. The image runs on those of Linux")
	flag.Parse()
	var err error
	if r.platforms, err = platformsOf(*names); err == nil {
		err = r.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var versionPattern = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// step is a part of a release. Steps run in order: the last ones read what the first ones wrote.
type step struct {
	name string
	run  func(context.Context) error
}

func (r *release) run(ctx context.Context) error {
	if !versionPattern.MatchString(r.version) {
		return fmt.Errorf("--version %q is no version: write vMAJOR.MINOR.PATCH, such as v1.2.3 or v1.2.3-rc.1", r.version)
	}
	if err := r.checkImage(); err != nil {
		return err
	}
	var err error
	if r.root, err = filepath.Abs(r.root); err != nil {
		return err
	}
	if r.folder == "" {
		r.folder = filepath.Join(r.root, "dist")
	}
	if r.folder, err = filepath.Abs(r.folder); err != nil {
		return err
	}
	if r.push {
		if err := r.checkPush(ctx); err != nil {
			return err
		}
	}
	if err := r.empty(); err != nil {
		return err
	}
	steps := []step{
		{"programs", r.buildPrograms},
		{"image", r.buildImage},
		{"chart", r.buildChart},
		{"install.yaml", r.buildManifest},
	}
	if r.push { // here: who waits for the image does not wait for the rest
		steps = append(steps, step{"push", r.pushImage})
	}
	steps = append(steps,
		step{"SBOM", r.buildSBOM},
		step{"krew manifest", r.buildKrew},
		step{"checksums", r.buildChecksums},
	)
	for _, s := range steps {
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintln(os.Stderr, "release: done:", s.name)
	}
	if r.push {
		fmt.Fprint(os.Stderr, r.next())
	}
	return nil
}

// marker is in a folder that a release was written to. A folder without it is not emptied.
const marker = ".regcred-release"

func (r *release) empty() error {
	entries, err := os.ReadDir(r.folder)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if _, err := os.Stat(filepath.Join(r.folder, marker)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s holds something that no release wrote: name another --output, or empty it", r.folder)
	}
	if err := os.RemoveAll(r.folder); err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.folder, marker), nil, 0o644)
}

// path of a file in the folder of the release.
func (r *release) path(name string) string { return filepath.Join(r.folder, name) }

// bare is the version as charts and archives write it, without the v.
func (r *release) bare() string { return r.version[1:] }
