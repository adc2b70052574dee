package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/internal/dockerconfig"
)

// document is the docker config of the fields, and the name under which people know it. It is nil where the spec asks for a user
// name and a password and these may be there.
//
// Beside the value of the key that the spec names, the secret itself may be a docker config or the manifest of a pull Secret, as
// `vault kv put PATH @file.json` makes it; and a key .dockerconfigjson is one where no key of the spec is there.
func (r *rendering) document() (string, any) {
	if key := r.Keys.DockerConfig; key != "" {
		if value, found := r.fields[key]; found && value != nil {
			return "key " + quoted(key), value
		}
	}
	if !r.usesNone() {
		return "", nil
	}
	if _, is := dockerConfigIn(map[string]any(r.fields)); is {
		return "the secret", map[string]any(r.fields)
	}
	if value, found := r.fields[corev1.DockerConfigJsonKey]; found && r.Keys.Auth == "" {
		if _, is := dockerConfigIn(value); is {
			return "key " + quoted(corev1.DockerConfigJsonKey), value
		}
	}
	return "", nil
}

// deepest is how many wrappings of a docker config are taken off.
const deepest = 4

// dockerConfigIn finds the docker config that a value certainly is: as text or JSON object, its base64, or the manifest of a pull
// Secret that holds it, in JSON or YAML.
func dockerConfigIn(value any) ([]byte, bool) { return unwrap(value, deepest) }

func unwrap(value any, depth int) ([]byte, bool) {
	if depth == 0 {
		return nil, false
	}
	switch value := value.(type) {
	case map[string]any:
		return unwrapObject(value, depth)
	case string:
		return unwrapText(value, depth)
	}
	return nil, false
}

func unwrapObject(object map[string]any, depth int) ([]byte, bool) {
	if auths, is := object["auths"].(map[string]any); is && auths != nil {
		return encode(object), true
	}
	for _, data := range []string{"stringData", "data"} {
		fields, _ := object[data].(map[string]any)
		if inner, is := unwrap(fields[corev1.DockerConfigJsonKey], depth-1); is {
			return inner, true
		}
		if flat, is := fields[corev1.DockerConfigKey].(string); is {
			if decoded, ok := decodeBase64(flat); ok {
				flat = string(decoded)
			}
			return dockerconfig.FromDockercfg([]byte(flat)), isJSONObject([]byte(flat))
		}
	}
	return nil, false
}

func unwrapText(text string, depth int) ([]byte, bool) {
	if len(text) > 2*dockerconfig.MaxSize {
		return nil, false
	}
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
	switch {
	case strings.HasPrefix(text, "{"):
		object, ok := decodeObject([]byte(text))
		if !ok {
			return nil, false
		}
		if auths, is := object["auths"].(map[string]any); is && auths != nil {
			return []byte(text), true // as it was written: a key that is there twice is seen
		}
		return unwrapObject(object, depth)
	case strings.Contains(text, "\n") && (strings.Contains(text, corev1.DockerConfigJsonKey) || strings.Contains(text, "auths:")):
		return unwrapYAML(text, depth)
	}
	if inner, ok := unquoted(text); ok {
		return unwrap(inner, depth-1)
	}
	if decoded, ok := decodeBase64(text); ok {
		return unwrap(string(decoded), depth-1)
	}
	return nil, false
}

func unwrapYAML(text string, depth int) ([]byte, bool) {
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err != nil || !bytes.HasPrefix(encoded, []byte("{")) {
		return nil, false
	}
	return unwrap(string(encoded), depth-1)
}

// unquoted takes the quotes off that a shell or jq left around a value.
func unquoted(text string) (string, bool) {
	if len(text) < 2 || text[0] != text[len(text)-1] {
		return "", false
	}
	switch text[0] {
	case '"':
		var inner string
		err := json.Unmarshal([]byte(text), &inner)
		return inner, err == nil
	case '\'':
		return text[1 : len(text)-1], true
	}
	return "", false
}

// decodeBase64 reads base64 of any alphabet, padded or not, on one line or many.
func decodeBase64(text string) ([]byte, bool) {
	const shortest = 8 // so that a word is not taken for base64
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	if len(text) < shortest {
		return nil, false
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	decoded, err := encoding.DecodeString(text)
	return decoded, err == nil
}

// decodeObject keeps numbers as they were written.
func decodeObject(text []byte) (map[string]any, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	return object, decoder.Decode(&object) == nil
}

// encode writes JSON without the escapes that are meant for HTML pages. What came from JSON always encodes.
func encode(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("payload: what came from JSON encodes: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
