package box_test

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"regcred.dev/regcred/test/box"
)

func TestTheDigestDependsOnProgramAndOptionsAlone(t *testing.T) {
	first, same := digest(t, testImage(t, "a")), digest(t, testImage(t, "a"))
	if first != same {
		t.Errorf("the same image has the digests %s and %s", first, same)
	}
	if other := digest(t, testImage(t, "b")); other == first {
		t.Error("another salt has the same digest")
	}
}

func TestAnImageRunsItsProgramWithoutRoot(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pause")
	noError(t, os.WriteFile(program, []byte("content"), 0o600))
	image, err := box.Image(program, box.ImageOptions{Args: []string{"--for", "ever"}})
	noError(t, err)
	config, err := image.ConfigFile()
	noError(t, err)
	want := v1.Config{Entrypoint: []string{"/pause"}, Cmd: []string{"--for", "ever"}, User: "65532:65532", WorkingDir: "/"}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("platform %s", config.Platform())
	}
	files := tar.NewReader(mutate.Extract(image))
	header, err := files.Next()
	noError(t, err)
	content, err := io.ReadAll(files)
	noError(t, err)
	if header.Name != "pause" || header.FileInfo().Mode() != 0o755 || string(content) != "content" {
		t.Errorf("%s %s %q", header.Name, header.FileInfo().Mode(), content)
	}
	if _, err := files.Next(); err != io.EOF {
		t.Errorf("more than one file: %v", err)
	}
}

func TestAnIndexNamesThePlatformOfEachImage(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pause")
	noError(t, os.WriteFile(program, []byte("content"), 0o600))
	var images []v1.Image
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := box.Image(program, box.ImageOptions{Architecture: architecture})
		noError(t, err)
		images = append(images, image)
	}
	index, err := box.Index(images...)
	noError(t, err)
	manifest, err := index.IndexManifest()
	noError(t, err)
	got := map[string]v1.Hash{}
	for _, descriptor := range manifest.Manifests {
		got[descriptor.Platform.String()] = descriptor.Digest
	}
	want := map[string]v1.Hash{"linux/amd64": digest(t, images[0]), "linux/arm64": digest(t, images[1])}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if _, err := box.Index(); err == nil {
		t.Error("an index of nothing was made")
	}
}

func digest(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	hash, err := image.Digest()
	noError(t, err)
	return hash
}
