package box

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// imageUser is the user that the images' programs run as: not root, so that they start under restricted policies.
const imageUser = "65532:65532"

// ImageOptions says what an image is like.
type ImageOptions struct {
	Architecture string   // defaults to this machine's
	Args         []string // arguments of the program, which a pod may replace
	Salt         string   // a label: images of different salts have different digests
}

// Image makes a Linux image of one static program, which is its entrypoint. The same program and options always make
// the same digest.
func Image(binaryPath string, o ImageOptions) (v1.Image, error) {
	program := path.Join("/", filepath.Base(binaryPath))
	layer, err := programLayer(binaryPath, program)
	if err != nil {
		return nil, fmt.Errorf("making an image of %s: %w", binaryPath, err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", o.Architecture
	if config.Architecture == "" {
		config.Architecture = runtime.GOARCH
	}
	config.Config = v1.Config{Entrypoint: []string{program}, Cmd: o.Args, User: imageUser, WorkingDir: "/"}
	if o.Salt != "" {
		config.Config.Labels = map[string]string{"salt": o.Salt}
	}
	return mutate.ConfigFile(image, config)
}

// programLayer is a layer with one executable. Its tar entry has no time and no owner but root.
func programLayer(source, target string) (v1.Layer, error) {
	content, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	header := &tar.Header{Name: target[1:], Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
}

// Index makes a multi-architecture index of images, each under the platform of its own configuration.
func Index(images ...v1.Image) (v1.ImageIndex, error) {
	if len(images) == 0 {
		return nil, errors.New("an index needs an image")
	}
	var index v1.ImageIndex = empty.Index
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: config.Platform()},
		})
	}
	return index, nil
}
