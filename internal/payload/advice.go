package payload

import (
	"strings"
	"unicode/utf8"

	"regcred.dev/regcred/internal/dockerconfig"
)

// notDocument says what a value is that should be a docker config, and how to store one.
func (r *rendering) notDocument(name string, value any) *Error {
	text, is := value.(string)
	if object, ok := value.(map[string]any); ok {
		return r.otherObject(name, object, encode(object))
	}
	if !is {
		return r.notText(r.Keys.DockerConfig, "a docker config", value)
	}
	trimmed := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if object, ok := decodeObject([]byte(trimmed)); ok && strings.HasPrefix(trimmed, "{") {
		return r.otherObject(name, object, []byte(trimmed))
	}
	says := r.describe(text)
	if says == "" {
		says = "is neither JSON nor base64 of it"
	}
	return malformed("%s is to hold a docker config, and %s%s", name, says, r.storeCommand(r.Keys.DockerConfig, "config.json"))
}

// otherObject is for JSON that is no docker config.
func (r *rendering) otherObject(name string, object map[string]any, text []byte) *Error {
	if isServiceKey(object) {
		return malformed("%s holds a key of a service account and no docker config: set username: %s and keys: {password: %q}", name, userOfKey(object), r.Keys.DockerConfig)
	}
	if delegation := dockerconfig.Delegation(text); delegation != nil {
		fault := malformed("%s: %v", name, delegation)
		fault.Cause = delegation
		return fault
	}
	_, err := dockerconfig.ParseRaw(text)
	if err == nil {
		err = dockerconfig.ErrNoAuths
	}
	if _, has := object["username"]; has {
		return malformed("%s holds a user name and names no registry: set keys to those of user name and password, or store "+
			`{"auths": {"REGISTRY": {...}}}`, name)
	}
	fault := malformed(`%s: %v: it begins {"auths": {"REGISTRY": {...}}}%s`, name, err, r.storeCommand(r.Keys.DockerConfig, "config.json"))
	fault.Cause = err
	return fault
}

// describe says what a text certainly is, or nothing. It quotes nothing of it.
func (r *rendering) describe(text string) string {
	trimmed := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if _, is := dockerConfigIn(text); is {
		return "is a docker config: name its key in keys.dockerConfig"
	}
	if object, _ := decodeObject([]byte(trimmed)); isServiceKey(object) {
		return "is a key of a service account: set username: " + userOfKey(object) + ", and name its key in keys.password"
	}
	switch {
	case Crowded([]byte(trimmed)):
		return "holds far more values than a registry credential has"
	case trimmed == "":
		return "is empty"
	case !utf8.ValidString(text):
		return "is no text: store it as UTF-8"
	case strings.HasPrefix(trimmed, "{"):
		return "begins like JSON and is none, as when a shell took the quotes, a template put in a value without escaping it, or a part was cut off"
	case strings.HasPrefix(trimmed, "@"), strings.HasSuffix(trimmed, ".json") && !strings.Contains(trimmed, "\n"):
		return "is the name of a file, not what is in it: write KEY=@FILE"
	case strings.HasPrefix(trimmed, "-----BEGIN "):
		return "is a PEM file, which no registry takes"
	}
	if reason, says := oddity(trimmed); reason == dockerconfig.ReasonPlaceholder {
		return says
	}
	return describeLogin(text)
}

func describeLogin(text string) string {
	if decoded, ok := decodeBase64(text); ok {
		if object, _ := decodeObject(decoded); isServiceKey(object) {
			return "is base64 of a key of a service account: set username: _json_key_base64, and name its key in keys.password"
		}
		if strings.HasPrefix(string(decoded), "{") {
			return "is base64 of what begins like JSON and is none, as when a part was cut off"
		}
		if _, err := dockerconfig.FromAuth(strings.TrimSpace(text)); err == nil {
			return "is base64 of username:password: name its key in keys.auth"
		}
	}
	if name, password, _ := strings.Cut(strings.TrimSpace(text), ":"); name != "" && password != "" && !strings.ContainsAny(text, " \n{") {
		return "seems to be username:password: store the two under keys of their own"
	}
	return ""
}
