package dockerconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode"
)

// usable is the password in the form in which it is published, and whether a line break was taken off its end.
//
// A password that is a JSON object, such as a key of Google or Yandex as it is downloaded, may hold line breaks: a kubelet sends
// them, and the registry reads JSON. It is compacted, so that the value is the same and every client can hold it. Base64 of such an
// object, wrapped as base64 wraps it, is joined.
func usable(password string) (bare string, trimmed bool) {
	bare = trimLineBreak(password)
	if !strings.ContainsFunc(bare, unicode.IsControl) {
		return bare, bare != password
	}
	if one, ok := singleLine(bare); ok {
		return one, false
	}
	return bare, bare != password
}

func singleLine(text string) (string, bool) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if compact, ok := compactObject([]byte(text)); ok {
		return compact, true
	}
	joined := strings.NewReplacer("\r", "", "\n", "").Replace(text)
	decoded, err := base64.StdEncoding.DecodeString(joined)
	if err != nil {
		return "", false
	}
	_, ok := compactObject(decoded)
	return joined, ok
}

// compactObject writes a JSON object without white space.
func compactObject(text []byte) (string, bool) {
	if len(text) == 0 || text[0] != '{' {
		return "", false
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return "", false
	}
	return out.String(), true
}
