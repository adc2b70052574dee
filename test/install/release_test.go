package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// releaseVersion is that of the release that is built for the tests.
const releaseVersion = "v0.1.0"

// release is a folder that hack/release wrote.
type release struct {
	folder string
	digest string // of the index over the images of all platforms
}

// releaseIn builds a release for the platform of this machine, with the node's name for the registry. REGCRED_DIST names one that is there
// already: its IMAGE must have been 10.88.0.1:5000/regcred/regcred.
func releaseIn(ctx context.Context, folder string) (release, error) {
	r := release{folder: os.Getenv("REGCRED_DIST")}
	if r.folder == "" {
		r.folder = filepath.Join(folder, "dist")
		command := exec.CommandContext(ctx, "go", "-C", filepath.Join("..", "..", "hack", "release"), "run", "-trimpath", ".", "-output", r.folder,
			"-version", releaseVersion, "-image", s.OperatorImage(), "-platforms", "linux/"+runtime.GOARCH)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			return r, fmt.Errorf("build a release: %w: %s", err, output)
		}
	}
	digest, err := os.ReadFile(filepath.Join(r.folder, "image.digest"))
	r.digest = strings.TrimSpace(string(digest))
	return r, err
}

// push publishes the OCI layout, as docs/install.md does it where there is no internet.
func (r release) push(ctx context.Context) error {
	folder, err := layout.ImageIndexFromPath(filepath.Join(r.folder, "image"))
	if err != nil {
		return err
	}
	digest, err := v1.NewHash(r.digest)
	if err != nil {
		return err
	}
	index, err := folder.ImageIndex(digest)
	if err != nil {
		return err
	}
	return s.PushOperator(ctx, releaseVersion, index)
}

// chart is the packed chart.
func (r release) chart() (string, error) {
	found, err := filepath.Glob(filepath.Join(r.folder, "regcred-*.tgz"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s holds the charts %q, want one", r.folder, found)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// manifest is install.yaml with what this cluster needs: its registry speaks plain http, on a port of its own.
func (r release) manifest(folder string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.folder, "install.yaml"))
	if err != nil {
		return "", err
	}
	edited := string(text)
	for before, after := range map[string]string{
		"        - --leader-elect\n":              "        - --leader-elect\n        - --insecure-registries=" + s.Registry + "\n",
		"    - port: 8200\n      protocol: TCP\n": "    - port: 8200\n      protocol: TCP\n    - port: 5000\n      protocol: TCP\n",
	} {
		if strings.Count(edited, before) != 1 {
			return "", fmt.Errorf("install.yaml does not hold %q once", before)
		}
		edited = strings.Replace(edited, before, after, 1)
	}
	path := filepath.Join(folder, "install.yaml")
	return path, os.WriteFile(path, []byte(edited), 0o600)
}
