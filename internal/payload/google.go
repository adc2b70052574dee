package payload

import (
	"encoding/base64"
	"encoding/json"

	"regcred.dev/regcred/internal/dockerconfig"
)

// User names with which Google's registries take a key of a service account, as it is and as base64
// (https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key).
const (
	googleKey       = "_json_key"
	googleKeyBase64 = "_json_key_base64"
)

// yandexKey is the user name with which the registry of Yandex Cloud takes such a key
// (https://yandex.cloud/docs/container-registry/operations/authentication).
const yandexKey = "json_key"

// userOfKey is the user name for a key of a service account, by the cloud that gave it.
func userOfKey(object map[string]any) string {
	if textAt(object, "service_account_id") != "" {
		return yandexKey
	}
	return googleKey
}

// isServiceKey recognises a key of a service account as a cloud gives it for download.
func isServiceKey(object map[string]any) bool {
	private, _ := object["private_key"].(string)
	return private != ""
}

// wholeKey is the credential of a secret that is itself the key of a service account, as `vault kv put PATH @key.json` makes it.
func (r *rendering) wholeKey() (dockerconfig.Credential, bool) {
	user := userOfKey(r.fields)
	certain := user == yandexKey || textAt(r.fields, "type") == "service_account"
	known := r.Username == "" || r.Username == user || r.Username == googleKeyBase64 && user == googleKey
	if !certain || !known || !isServiceKey(r.fields) || !r.usesNone() {
		return dockerconfig.Credential{}, false
	}
	username := r.Username
	if username == "" {
		username = user
	}
	credential, err := dockerconfig.NewCredential(username, string(encode(r.fields)))
	return fitGoogleKey(credential), err == nil
}

// fitGoogleKey gives a key the form that its user name promises: Google refuses base64 for _json_key, and JSON for
// _json_key_base64.
func fitGoogleKey(c dockerconfig.Credential) dockerconfig.Credential {
	password := c.Password()
	switch c.Username() {
	case googleKey:
		decoded, ok := decodeBase64(password)
		if !ok || !isJSONObject(decoded) {
			return c
		}
		password = string(decoded)
	case googleKeyBase64:
		key := []byte(password)
		if decoded, ok := decodeBase64(password); ok {
			key = decoded
		}
		if !isJSONObject(key) {
			return c
		}
		password = base64.StdEncoding.EncodeToString(key)
	default:
		return c
	}
	fitted, err := dockerconfig.NewCredential(c.Username(), password)
	if err != nil {
		return c
	}
	return fitted
}

func isJSONObject(text []byte) bool {
	return len(text) > 0 && text[0] == '{' && json.Valid(text)
}
