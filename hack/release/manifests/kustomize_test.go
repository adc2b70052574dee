package manifests

import (
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestEachObjectComesAfterItsNamespace: `kubectl apply -f install.yaml` on a cluster without regcred takes one object after the other.
func TestEachObjectComesAfterItsNamespace(t *testing.T) {
	rendered, err := Render(filepath.Join("..", "..", "..", "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	there, inNamespaces := map[string]bool{}, 0
	for document := range strings.SplitSeq(string(rendered), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object.Kind == "Namespace" {
			there[object.Metadata.Name] = true
		}
		if object.Metadata.Namespace == "" {
			continue
		}
		inNamespaces++
		if !there[object.Metadata.Namespace] {
			t.Errorf("%s %s comes before its namespace %s", object.Kind, object.Metadata.Name, object.Metadata.Namespace)
		}
	}
	if inNamespaces == 0 {
		t.Error("no object has a namespace: that none comes too early proves nothing")
	}
}
