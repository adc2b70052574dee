package payload

import (
	"bytes"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// isYAML recognises what may be YAML that holds a docker config, in either form: a document, or the one line of a manifest that does.
func isYAML(text string) bool {
	const line = corev1.DockerConfigJsonKey + ":"
	return strings.HasPrefix(text, line) || strings.Contains(text, "\n") &&
		slices.ContainsFunc([]string{corev1.DockerConfigJsonKey, corev1.DockerConfigKey, "auths", "auth:", "password:"}, func(word string) bool { return strings.Contains(text, word) })
}

// longestYAML, in bytes: decoded YAML takes many times the memory of its text. The manifest of a pull Secret is far smaller.
const longestYAML = 256 << 10

// unwrapYAML refuses aliases: a manifest has none, and a text of a few kilobytes can stand for gigabytes with them.
func unwrapYAML(text string, depth int) ([]byte, bool) {
	if len(text) > longestYAML || hasAlias(text) {
		return nil, false
	}
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err != nil || !bytes.HasPrefix(encoded, []byte("{")) {
		return nil, false
	}
	return unwrap(string(encoded), depth-1)
}

// hasAlias reports whether YAML refers to a part of itself, or cannot be read.
func hasAlias(text string) bool {
	var document yamlv3.Node
	return yamlv3.Unmarshal([]byte(text), &document) != nil || containsAlias(&document)
}

func containsAlias(node *yamlv3.Node) bool {
	return node.Kind == yamlv3.AliasNode || slices.ContainsFunc(node.Content, containsAlias)
}
