package payload

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"regcred.dev/regcred/internal/dockerconfig"
)

// authOf reads what people store of an auth field: what a kubelet decodes, and what is certainly meant for it. That is base64 of
// another alphabet, with wrong padding, with space or quotes around it, encoded twice as in the data of a Secret, or the value of a
// header.
func authOf(text string) (dockerconfig.Credential, error) {
	credential, err := dockerconfig.FromAuth(text)
	if !errors.Is(err, dockerconfig.ErrMalformedAuth) && !errors.Is(err, dockerconfig.ErrControlCharacter) { // as in UTF-16
		return credential, err
	}
	username, password, ok := loginIn(text, deepest)
	if !ok {
		return credential, err
	}
	return dockerconfig.NewCredential(username, password)
}

// loginIn takes the wrappings off username:password. Text that is not encoded at all is none: of it, nobody knows what it is.
func loginIn(text string, depth int) (username, password string, ok bool) {
	const scheme = "basic "
	text = strings.TrimSpace(plainText(text))
	if inner, quoted := unquoted(text); quoted {
		text = strings.TrimSpace(inner)
	}
	if len(text) > len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		text = text[len(scheme):]
	}
	bytes, ok := decodeBase64(text)
	if !ok || depth == 0 {
		return "", "", false
	}
	decoded := plainText(string(bytes))
	username, password, found := strings.Cut(decoded, ":")
	if found && utf8.ValidString(decoded) {
		return username, password, true
	}
	return loginIn(decoded, depth-1)
}

// parseEntry reads an entry of a docker config, with an auth field as people store it.
func parseEntry(key string, raw json.RawMessage) (dockerconfig.Credential, error) {
	credential, err := dockerconfig.ParseEntry(key, raw)
	if !errors.Is(err, dockerconfig.ErrMalformedAuth) {
		return credential, err
	}
	entry, _ := decodeObject(raw)
	auth, _ := entry["auth"].(string)
	read, fault := authOf(auth)
	switch {
	case fault == nil:
		one := dockerconfig.Config{key: read}.Raw()[key]
		rendered, _ := decodeObject(one)
		entry["auth"] = rendered["auth"]
	case isPlain(auth, entry):
		delete(entry, "auth")
	default:
		return credential, err
	}
	return dockerconfig.ParseEntry(key, encode(entry))
}

// isPlain reports whether an auth field is the user name and the password that stand beside it, and was not encoded.
func isPlain(auth string, entry map[string]any) bool {
	username, _ := entry["username"].(string)
	password, _ := entry["password"].(string)
	return username != "" && password != "" && strings.TrimSpace(auth) == username+":"+password
}

// withoutUsername is the password of a value that is base64 of username:password under the key of a password, such as the
// authorizationToken of Amazon ECR. No password is that by chance.
func withoutUsername(username, value string) (string, bool) {
	bytes, _ := decodeBase64(value)
	password, is := strings.CutPrefix(string(bytes), username+":")
	return password, is && password != "" && utf8.ValidString(password)
}
