package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnArchiveHoldsItsFilesAndNoTime(t *testing.T) {
	files := []file{{"LICENSE", 0o644, []byte("free")}, {"regcred", 0o755, []byte("program")}}
	packed, err := archive(files)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if !plain.ModTime.IsZero() {
		t.Errorf("compressed at %s", plain.ModTime)
	}
	reader := tar.NewReader(plain)
	for _, f := range files {
		header, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != f.name || header.Mode != f.mode || header.ModTime.Unix() > 0 || header.Uid != 0 {
			t.Errorf("%+v", header)
		}
	}
}

func TestPlatformsAreChosen(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       int
	}{
		{"all of them", "all", 6},
		{"two of Linux", "linux/amd64,linux/arm64", 2},
		{"one that is not released", "linux/amd64,plan9/amd64", 0},
		{"none of Linux, so no image", "darwin/arm64", 0},
		{"one twice", "linux/amd64,linux/amd64", 0},
		{"nothing", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := platformsOf(test.text)
			if len(found) != test.want || (err == nil) != (test.want > 0) {
				t.Errorf("got %v, %v", found, err)
			}
		})
	}
}

func TestTheChartIsStamped(t *testing.T) {
	folder := t.TempDir()
	digest := "sha256:" + strings.Repeat("a", 64)
	if err := os.WriteFile(filepath.Join(folder, "image.digest"), []byte(digest+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stamped := func(r release, name string) string {
		content, err := os.ReadFile(filepath.Join("..", "..", "charts", "regcred", name))
		if err != nil {
			t.Fatal(err)
		}
		if content, err = r.stamp(name, content); err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	known := release{folder: folder, version: "v1.2.3", image: "registry.company.io/regcred"}
	if text := stamped(known, "Chart.yaml"); !strings.Contains(text, "\nversion: 1.2.3\nappVersion: v1.2.3\n") {
		t.Error(text)
	}
	if text := stamped(known, "Chart.yaml"); !strings.Contains(text, "\nannotations:\n  regcred.dev/image: registry.company.io/regcred@"+digest+"\n  artifacthub.io/license") {
		t.Error(text)
	}
	unknown := release{folder: folder, version: "v1.2.3", image: placeholder}
	if text := stamped(unknown, "Chart.yaml"); strings.Contains(text, "regcred.dev/image") || !strings.Contains(text, "\nversion: 1.2.3\n") {
		t.Error("a placeholder is an image")
	}
	if stamped(known, "values.yaml") != stamped(unknown, "values.yaml") {
		t.Error("a value differs from release to release: whoever upgrades with --reuse-values keeps the one before")
	}
}

func TestTheImageTrustsPublicAuthorities(t *testing.T) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(publicAuthorities()) || bytes.Count(publicAuthorities(), []byte("BEGIN")) < 50 {
		t.Error("the bundle holds too few certificates")
	}
	if diff := cmp.Diff(string(publicAuthorities()), string(publicAuthorities())); diff != "" {
		t.Error("two bundles differ")
	}
}

func TestAVersionIsCheckedBeforeAnythingIsBuilt(t *testing.T) {
	for _, version := range []string{"1.2.3", "v1.2", "v01.2.3", "v1.2.3+dirty", "v1.2.3;", ""} {
		r := release{version: version, folder: filepath.Join(t.TempDir(), "dist")}
		if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "is no version") {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestAnImageIsCheckedBeforeAnythingIsBuilt(t *testing.T) {
	for _, image := range []string{"registry.company.io/regcred:v1", "https://registry.company.io/regcred", "registry.company.io/Team/regcred", "registry.company.io/regcred@sha256:abc", ""} {
		r := release{version: "v1.2.3", image: image, folder: filepath.Join(t.TempDir(), "dist")}
		if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "--image") {
			t.Errorf("%q: %v", image, err)
		}
	}
}

func TestAFolderOfSomethingElseIsKept(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := release{folder: folder}
	if err := r.empty(); err == nil {
		t.Error("the folder was emptied")
	}
	if _, err := os.Stat(filepath.Join(folder, "precious")); err != nil {
		t.Error(err)
	}
}

func TestAPushSaysHowToInstallWhatWasPushed(t *testing.T) {
	r := &release{folder: "/somewhere/dist", version: "v1.2.3"}
	if next := r.next(); !strings.Contains(next, "helm install regcred dist/regcred-1.2.3.tgz ") || !strings.Contains(next, "docs/quick-start.md") {
		t.Error(next)
	}
}
