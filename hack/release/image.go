package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// imageFolder is the OCI layout of the operator's image for all Linux platforms. --push publishes it, and so does any tool that reads the
// format, such as `crane push dist/image REPOSITORY:TAG`.
const imageFolder = "image"

// buildImage makes what the Dockerfile describes: one static program and the public certificate authorities, on nothing.
func (r *release) buildImage(context.Context) error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.platforms {
		if p.os != "linux" {
			continue
		}
		program, err := os.ReadFile(r.program(operator, p))
		if err != nil {
			return err
		}
		image, err := r.imageOf(program, p)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	folder, err := layout.Write(r.path(imageFolder), empty.Index)
	if err != nil {
		return err
	}
	if err := folder.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version})); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	return os.WriteFile(r.path("image.digest"), []byte(digest.String()+"\n"), 0o644)
}

func (r *release) imageOf(program []byte, p platform) (v1.Image, error) {
	certificates, err := layerOf(file{"etc/ssl/certs/ca-certificates.crt", 0o644, publicAuthorities()})
	if err != nil {
		return nil, err
	}
	binary, err := layerOf(file{operator, 0o755, program})
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, certificates, binary)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = p.os, p.arch
	config.Config = v1.Config{Entrypoint: []string{"/" + operator}, User: "65532:65532", WorkingDir: "/", Labels: map[string]string{
		"org.opencontainers.image.title":       "regcred",
		"org.opencontainers.image.description": "Delivers registry credentials from Vault to Kubernetes namespaces",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     r.version,
	}}
	return mutate.ConfigFile(image, config)
}

func layerOf(f file) (v1.Layer, error) {
	content, err := tarOf([]file{f})
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer))
}

// publicAuthorities are those of Mozilla's programme as the Go project bundles them, in PEM. One that is trusted under a condition is left
// out: a PEM file cannot say the condition.
func publicAuthorities() []byte {
	var blocks [][]byte
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			blocks = append(blocks, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	slices.SortFunc(blocks, bytes.Compare)
	return bytes.Join(blocks, nil)
}
