package payload

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// document is the docker config of the fields, and the name under which people know it. It is nil where the spec asks for a user
// name and a password and these may be there.
//
// Beside the value of the key that the spec names, the secret itself may be a docker config or the manifest of a pull Secret, as
// `vault kv put PATH @file.json` makes it; and a key .dockerconfigjson is one where no key of the spec is there.
func (r *rendering) document() (string, any) {
	if key := r.Keys.DockerConfig; key != "" {
		if value := r.fields[key]; value != nil {
			return "key " + quoted(key), value
		}
	}
	if !r.usesNone() {
		return "", nil
	}
	value := r.fields[corev1.DockerConfigJsonKey]
	if _, is := dockerConfigIn(value); is {
		return "key " + quoted(corev1.DockerConfigJsonKey), value
	}
	if _, is := dockerConfigIn(map[string]any(r.fields)); is {
		return "the secret", map[string]any(r.fields)
	}
	return "", nil
}

// deepest bounds the wrappings of a docker config that are taken off: base64 of a list in YAML has five, and what is within.
const deepest = 6

// dockerConfigIn finds the docker config that a value certainly is: as text or JSON object, its base64, the manifest of a pull
// Secret that holds it, in JSON or YAML, or what a program answered that was asked for it.
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
	case []any:
		return unwrapOneOf(value, depth)
	}
	return nil, false
}

func unwrapObject(object map[string]any, depth int) ([]byte, bool) {
	switch auths := authsOf(object).(type) {
	case map[string]any:
		return encode(object), true
	case string: // `vault kv put PATH auths=@auths.json`
		if isJSONObject([]byte(strings.TrimSpace(auths))) {
			return dockerconfig.FromDockercfg([]byte(auths)), true
		}
	}
	stringData, _ := object["stringData"].(map[string]any)
	data, _ := object["data"].(map[string]any)
	for _, fields := range []map[string]any{stringData, data, object} {
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
	if isDockercfg(object) {
		return dockerconfig.FromDockercfg(encode(object)), true
	}
	if answer := answerIn(object); answer != nil {
		return encode(answer), true
	}
	items, _ := object["items"].([]any)
	return unwrapOneOf(append(items[:len(items):len(items)], object["data"], object["value"]), depth)
}

// authsOf is the member "auths", which a kubelet finds in any case of letters.
func authsOf(object map[string]any) any {
	for _, name := range sortedKeys(object) {
		if strings.EqualFold(name, "auths") { // of two, what reads the entries says that there are two
			return object[name]
		}
	}
	return nil
}

// isDockercfg recognises the old form of a docker config, .dockercfg, which has the entries at the top: all that is there is the
// login of a registry that an image can name.
func isDockercfg(object map[string]any) bool {
	for key, value := range object {
		entry, _ := value.(map[string]any)
		auth, _ := entry["auth"].(string)
		username, _ := entry["username"].(string)
		password, _ := entry["password"].(string)
		if auth == "" && (username == "" || password == "") {
			return false
		}
		if _, err := registry.CanonicalStored(key); err != nil {
			return false
		}
	}
	return len(object) > 0
}

// unwrapOneOf takes the one docker config out of what holds it: a list, as `kubectl get secrets -o json` prints it, or an answer such
// as that of `vault kv get -format=json`. Of two nobody knows which is meant.
func unwrapOneOf(parts []any, depth int) ([]byte, bool) {
	var found []byte
	for _, part := range parts {
		inner, is := unwrap(part, depth-1)
		if is && found != nil {
			return nil, false
		}
		if is {
			found = inner
		}
	}
	return found, found != nil
}

func unwrapText(text string, depth int) ([]byte, bool) {
	if len(text) > 2*dockerconfig.MaxSize {
		return nil, false
	}
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(plainText(text)), "\ufeff"))
	switch {
	case strings.HasPrefix(text, "{"):
		return unwrapJSON(text, depth)
	case strings.HasPrefix(text, "["):
		return unwrapOneOf(decodeList([]byte(text)), depth)
	}
	if match := assigned.FindStringSubmatch(text); match != nil { // or base64 with its padding
		if inner, is := unwrap(match[1], depth-1); is {
			return inner, true
		}
	}
	if isYAML(text) {
		if inner, is := unwrapYAML(text, depth); is {
			return inner, true
		}
	}
	if inner, ok := unquoted(text); ok {
		return unwrap(inner, depth-1)
	}
	if decoded, ok := decodeBase64(text); ok {
		return unwrap(string(decoded), depth-1)
	}
	return nil, false
}

// assigned is text after the name of a variable, as in a file of them or in a script, and base64 after the beginning of a data URL.
var assigned = regexp.MustCompile(`^(?s:(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=|data:[a-z0-9/+.-]*;base64,)(.+)$`)

func unwrapJSON(text string, depth int) ([]byte, bool) {
	if Crowded([]byte(text)) {
		return nil, false
	}
	object, ok := decodeObject([]byte(text))
	if !ok {
		return unwrapSpoilt(text, depth)
	}
	// As it was written, where it can be: a key that is there twice is seen.
	if _, is := authsOf(object).(map[string]any); is {
		return []byte(text), true
	}
	if isDockercfg(object) {
		return dockerconfig.FromDockercfg([]byte(text)), true
	}
	return unwrapObject(object, depth)
}

// unwrapSpoilt reads JSON that a shell or a template changed in a way that leaves no doubt: every quote has a backslash before it, or
// a line break stands inside a string.
func unwrapSpoilt(text string, depth int) ([]byte, bool) {
	if inner, ok := unquoted(`"` + text + `"`); ok {
		return unwrap(inner, depth-1)
	}
	if escaped := dockerconfig.EscapeBreaks([]byte(text)); json.Valid(escaped) {
		return unwrap(string(escaped), depth-1)
	}
	return nil, false
}

// decodeObject keeps numbers as they were written. What is crowded is not decoded.
func decodeObject(text []byte) (map[string]any, bool) {
	if Crowded(text) || !json.Valid(text) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	err := decoder.Decode(&object)
	return object, err == nil
}

// decodeList is nil where text is no list, or is crowded.
func decodeList(text []byte) []any {
	var list []any
	if Crowded(text) || json.Unmarshal(text, &list) != nil {
		return nil
	}
	return list
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
