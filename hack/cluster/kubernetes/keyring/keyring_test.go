package keyring

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"
)

var update = flag.Bool("update", false, "write the golden files anew from the kubelet's code")

const registryData = "../../../../internal/registry/testdata"

// TestKeyringMatches has the kubelet look every image up in a pull Secret with one key. The golden file lists the
// pairs that match; all other pairs of keys.txt and images.txt do not.
func TestKeyringMatches(t *testing.T) {
	rings := map[string]credentialprovider.DockerKeyring{}
	for _, key := range keys() {
		rings[key] = ringOf(t, key)
	}
	matches := []string{"# key\timage: the pairs of keys.txt and images.txt that a kubelet matches"}
	for _, key := range keys() {
		for _, image := range images() {
			if len(lookup(rings[key], image)) > 0 {
				matches = append(matches, fmt.Sprintf("%q\t%q", key, image))
			}
		}
	}
	golden(t, filepath.Join(registryData, "keys.txt"), quoted(keys()))
	golden(t, filepath.Join(registryData, "images.txt"), quoted(images()))
	golden(t, filepath.Join(registryData, "kubelet-keyring.tsv"), matches)
}

// TestKeyringOrder has the kubelet look images up in pull Secrets with several keys, where one entry shadows another
// and the longer path goes first.
func TestKeyringOrder(t *testing.T) {
	rings := [][]string{
		{"docker.io", "https://index.docker.io/v1/"},
		{"*.io", "https://index.docker.io/v1/", "quay.io"},
		{"docker.io/library", "https://index.docker.io/v1/"},
		{"docker.io/library/", "docker.io/library/nginx", "docker.io/lib", "d*.io", "docker.io", "registry-1.docker.io"},
		{"quay.io", "quay.io/core", "quay.io/coreos", "quay.io/coreos/etcd", "*.io", "q*.io/coreos"},
		{"https://quay.io/v1/", "quay.io/v2/coreos", "%", "quay.io:443", "https://index.docker.io/v1"},
		{"*.example.com", "*.*.example.com", "a.*.example.com/team", "a.b.example.com", "*.b.example.com/team/app", "registry.example.com"},
		{"registry.example.com:5000", "*.example.com:5000", "registry.example.com", "registry.example.com:5000/team/"},
		{"localhost", "https://index.docker.io/v1/", "localhost:5000", "localhos*/team"},
		{"index.docker.io", "localhost:5000", "*:5000", "[::1]:5000"},
	}
	lines := []string{"# keys (JSON)\timage\tthe keys that a kubelet uses, in its order (JSON)"}
	for _, ring := range rings {
		keyring := ringOf(t, ring...)
		for _, image := range images() {
			if used := lookup(keyring, image); len(used) > 0 {
				lines = append(lines, fmt.Sprintf("%s\t%q\t%s", toJSON(t, ring), image, toJSON(t, used)))
			}
		}
	}
	golden(t, filepath.Join(registryData, "kubelet-order.tsv"), lines)
}

// TestKeyringParse has the kubelet read pull Secrets, sound and broken ones.
func TestKeyringParse(t *testing.T) {
	lines := []string{"# document (Go string)\tbroken or read\tthe entries read as [key, username, password], sorted (JSON)"}
	for _, document := range documents() {
		outcome, entries := "read", [][3]string{}
		if _, err := secrets.MakeDockerKeyring([]corev1.Secret{pullSecret([]byte(document))}, nil); err != nil {
			outcome = "broken"
		} else {
			entries = entriesOf(t, document)
		}
		lines = append(lines, fmt.Sprintf("%q\t%s\t%s", document, outcome, toJSON(t, entries)))
	}
	golden(t, "../../../../internal/dockerconfig/testdata/kubelet-parse.tsv", lines)
}

// ringOf is the kubelet's keyring of a pull Secret in which every key has itself as the user name.
func ringOf(t *testing.T, keys ...string) credentialprovider.DockerKeyring {
	t.Helper()
	auths := map[string]map[string]string{}
	for _, key := range keys {
		auths[key] = map[string]string{"username": key, "password": "x"}
	}
	content := []byte(toJSON(t, map[string]any{"auths": auths}))
	ring, err := secrets.MakeDockerKeyring([]corev1.Secret{pullSecret(content)}, nil)
	if err != nil {
		t.Fatalf("keyring of %q: %v", keys, err)
	}
	return ring
}

// lookup does what the kubelet does before a pull (pkg/kubelet/images/image_manager.go). It returns user names,
// which are keys.
func lookup(ring credentialprovider.DockerKeyring, image string) []string {
	repository, _, _, err := parsers.ParseImageName(image)
	if err != nil {
		return nil
	}
	credentials, _ := ring.Lookup(repository)
	var used []string
	for _, credential := range credentials {
		used = append(used, credential.Username)
	}
	return used
}

func pullSecret(content []byte) corev1.Secret {
	return corev1.Secret{
		Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: content},
	}
}

// golden compares a file with what the kubelet says now, or writes it with -update.
func golden(t *testing.T, file string, lines []string) {
	t.Helper()
	want := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what the kubelet's code says: write it anew with -update and run the tests of the main module", file)
	}
}

func quoted(values []string) []string {
	var lines []string
	for _, value := range values {
		lines = append(lines, fmt.Sprintf("%q", value))
	}
	return lines
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
