package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Key identifies one state of everything that goes into the artifact: its sources, the versions of its modules, the
// arguments of the compiler and the toolchain (its version and platform). It changes with each of them.
func (a Artifact) Key(source, toolchain string) (string, error) {
	args, err := a.arguments(source)
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	fmt.Fprintf(digest, "%q\n%q\n%q\n%q\n", toolchain, args, a.Packages, a.Links)
	roots := []string{filepath.Join(source, a.Module, a.Inputs)}
	for _, shared := range a.Shared {
		roots = append(roots, filepath.Join(source, shared))
	}
	for _, root := range roots {
		if err := addFolder(digest, root); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(digest.Sum(nil))[:16], nil
}

// addFolder hashes all files below a folder that can change the binary.
func addFolder(digest io.Writer, root string) error {
	files, err := inputFiles(root)
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := addFile(digest, root, path); err != nil {
			return err
		}
	}
	return nil
}

// inputFiles lists all files below root that can change the binary, in a stable order.
func inputFiles(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".")):
			return filepath.SkipDir
		case !entry.Type().IsRegular(), strings.HasSuffix(name, "_test.go"), strings.HasSuffix(name, ".md"):
			return nil
		}
		files = append(files, path)
		return nil
	})
	slices.Sort(files)
	return files, err
}

// addFile hashes name and length before the content, so that no two sets of files have the same digest by moving
// bytes from one into the other.
func addFile(digest io.Writer, root, path string) error {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(digest, "%q %d\n", filepath.ToSlash(name), len(content))
	_, err = digest.Write(content)
	return err
}
