package keyring

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"
)

// delivered is written by the tests of internal/payload: what regcred makes of everything that people keep and write.
const delivered = "../../../../internal/payload/testdata/delivered.tsv"

// TestKeyringOfWhatIsDelivered has the kubelet read each docker config that regcred delivers, and look up the image that it is for.
func TestKeyringOfWhatIsDelivered(t *testing.T) {
	content, err := os.ReadFile(delivered)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(content)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(columns) != 4 {
			continue
		}
		lines++
		name, image, config := columns[0], columns[1], columns[2]
		var want []string
		if err := json.Unmarshal([]byte(columns[3]), &want); err != nil {
			t.Fatal(err)
		}
		used := loginsFor(t, config, image)
		switch {
		case want == nil && len(used) > 0:
			t.Errorf("%s: a kubelet uses it for %s", name, image)
		case want != nil && (len(used) != 1 || used[0] != [2]string(want)):
			t.Errorf("%s: for %s a kubelet sends %q", name, image, used)
		}
	}
	const fewest = 150
	if lines < fewest {
		t.Errorf("%d lines are too few to prove anything", lines)
	}
}

// loginsFor are the logins that a kubelet tries for an image with a pull Secret of this content.
func loginsFor(t *testing.T, config, image string) [][2]string {
	t.Helper()
	ring, err := secrets.MakeDockerKeyring([]corev1.Secret{pullSecret([]byte(config))}, nil)
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	repository, _, _, err := parsers.ParseImageName(image)
	if err != nil {
		t.Fatalf("%s: %v", image, err)
	}
	credentials, _ := ring.Lookup(repository)
	var used [][2]string
	for _, credential := range credentials {
		used = append(used, [2]string{credential.Username, credential.Password})
	}
	return used
}
