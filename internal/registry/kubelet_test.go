package registry

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/test/racedetector"
)

// The files in testdata are written by the kubelet's own code: see hack/cluster/kubernetes/keyring.

func TestMatchingAgreesWithTheKubelet(t *testing.T) {
	racedetector.Skip(t)
	t.Run("rule 14: for every key and image", everyKeyAndImage)
	t.Run("rule 14: in the order of its tries", orderOfTries)
}

func everyKeyAndImage(t *testing.T) {
	keys, images := readLines(t, "keys.txt"), readLines(t, "images.txt")
	if len(keys) < 150 || len(images) < 150 {
		t.Fatalf("%d keys and %d images are too few to prove anything", len(keys), len(images))
	}
	type pair struct{ key, image string }
	matches := map[pair]bool{}
	for _, line := range readLines(t, "kubelet-keyring.tsv") {
		key, image, _ := strings.Cut(line, "\t")
		matches[pair{unquote(t, key), unquote(t, image)}] = true
	}
	differences := 0
	for _, key := range keys {
		key := unquote(t, key)
		for _, image := range images {
			image := unquote(t, image)
			want := matches[pair{key, image}]
			if got := Matches(key, image); got != want {
				differences++
				t.Errorf("Matches(%q, %q) = %v, the kubelet says %v", key, image, got, want)
			}
		}
	}
	t.Logf("%d keys and %d images, %d of %d pairs match, %d differences",
		len(keys), len(images), len(matches), len(keys)*len(images), differences)
}

func orderOfTries(t *testing.T) {
	for _, line := range readLines(t, "kubelet-order.tsv") {
		columns := strings.Split(line, "\t")
		var keys, want []string
		fromJSON(t, columns[0], &keys)
		fromJSON(t, columns[2], &want)
		image := unquote(t, columns[1])
		if diff := cmp.Diff(want, MostSpecific(keys, image)); diff != "" {
			t.Errorf("MostSpecific(%q, %q):\n%s", keys, image, diff)
		}
	}
}

// readLines are the lines of a file in testdata, without comments.
func readLines(t *testing.T, name string) []string {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := scanner.Text(); !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func unquote(t *testing.T, quoted string) string {
	t.Helper()
	s, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatalf("%s: %v", quoted, err)
	}
	return s
}

func fromJSON(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
