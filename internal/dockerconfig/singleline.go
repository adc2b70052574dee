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
	_, ok := compactObject(decode(joined))
	return joined, ok
}

// decode reads base64 of both alphabets, padded or not. It is empty where text is none.
func decode(text string) []byte {
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	decoded, err := encoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil
	}
	return decoded
}

// compactObject writes a JSON object without white space.
func compactObject(text []byte) (string, bool) {
	if len(text) == 0 || text[0] != '{' {
		return "", false
	}
	var out bytes.Buffer
	if json.Compact(&out, text) == nil {
		return out.String(), true
	}
	out.Reset()
	if err := json.Compact(&out, EscapeBreaks(text)); err != nil {
		return "", false
	}
	return out.String(), true
}

// EscapeBreaks escapes line breaks and tabs inside strings, which JSON forbids: a shell that reads \n in a private key as a line break
// leaves them there.
func EscapeBreaks(text []byte) []byte {
	escapes := map[byte]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}
	var out []byte
	inside, escaped := false, false
	for _, c := range text {
		if escape := escapes[c]; inside && escape != "" {
			out = append(out, escape...)
			continue
		}
		if c == '"' && !escaped {
			inside = !inside
		}
		escaped = c == '\\' && !escaped
		out = append(out, c)
	}
	return out
}
