package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"regcred.dev/regcred/hack/release/manifests"
)

// buildManifest writes config/default as one file, with the image of the release.
func (r *release) buildManifest(context.Context) error {
	rendered, err := manifests.Render(filepath.Join(r.root, "config", "default"))
	if err != nil {
		return err
	}
	digest, err := r.imageDigest()
	if err != nil {
		return err
	}
	const unset = "image: regcred:latest\n"
	if strings.Count(string(rendered), unset) != 1 {
		return fmt.Errorf("config/default does not name the image once as %q", strings.TrimSpace(unset))
	}
	image := r.image + ":" + r.version + "@" + digest
	text := strings.Replace(string(rendered), unset, "image: "+image+"\n", 1)
	head := "# regcred " + r.version + ", as config/default has it: docs/install.md.\n"
	if r.image == placeholder {
		head += "# Put the name of the registry to which you pushed the image in place of REGISTRY.\n"
	}
	return os.WriteFile(r.path("install.yaml"), []byte(head+text), 0o644)
}
