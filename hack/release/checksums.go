package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
)

const checksumsFile = "checksums.txt"

// buildChecksums lists every file beside it, in the format of sha256sum. The programs in the archives are not kept a second time; of the
// image, image.digest is listed, which covers all of it.
func (r *release) buildChecksums(context.Context) error {
	if err := os.RemoveAll(r.path("programs")); err != nil {
		return err
	}
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == marker {
			continue
		}
		sum, err := checksum(r.path(entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s  %s\n", sum, entry.Name())
	}
	return os.WriteFile(r.path(checksumsFile), []byte(lines.String()), 0o644)
}

func checksum(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(content)), nil
}
