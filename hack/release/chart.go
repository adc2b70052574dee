package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// buildChart packs charts/regcred under the version of the release. `helm install` takes the file as it is.
func (r *release) buildChart(context.Context) error {
	folder := filepath.Join(r.root, "charts", "regcred")
	var files []file
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if content, err = r.stamp(name, content); err != nil {
			return err
		}
		files = append(files, file{"regcred/" + name, 0o644, content})
		return nil
	})
	if err != nil {
		return err
	}
	packed, err := archive(files)
	if err != nil {
		return err
	}
	return os.WriteFile(r.path("regcred-"+r.bare()+".tgz"), packed, 0o644)
}

// stamp writes version and image into Chart.yaml. No value says them: `helm upgrade --reuse-values` keeps the values of the release before.
func (r *release) stamp(name string, content []byte) ([]byte, error) {
	if name != "Chart.yaml" {
		return content, nil
	}
	content, err := replaceOnce(string(content), "\nversion: 0.0.0-dev\nappVersion: 0.0.0-dev\n", fmt.Sprintf("\nversion: %s\nappVersion: %s\n", r.bare(), r.version))
	if err != nil || r.image == placeholder {
		return content, err // whoever installs it must say where the image is
	}
	digest, err := r.imageDigest()
	if err != nil {
		return nil, err
	}
	return replaceOnce(string(content), "\nannotations:\n", "\nannotations:\n  regcred.dev/image: "+r.image+"@"+digest+"\n")
}

func replaceOnce(text, before, after string) ([]byte, error) {
	if strings.Count(text, before) != 1 {
		return nil, errors.New("the chart does not hold this once: " + strings.TrimSpace(before))
	}
	return []byte(strings.Replace(text, before, after, 1)), nil
}
