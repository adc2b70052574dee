package payload

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// maxValues is how many values JSON may hold that is decoded: a short one takes fifty times the memory of its text. A docker config of
// a thousand entries has five thousand.
const maxValues = 50_000

// Crowded reports whether JSON may hold more values than any registry credential has. It counts what can part values, in text, too.
func Crowded(text []byte) bool {
	parts := 0
	for _, c := range text {
		if c == ',' || c == '[' || c == '{' {
			parts++
		}
	}
	return parts > maxValues
}

// plainText is text without a byte order mark, in UTF-8: the shell of Windows writes files in UTF-16.
func plainText(text string) string {
	if decoded, is := fromUTF16(text); is {
		return decoded
	}
	return strings.TrimPrefix(text, "\ufeff")
}

// fromUTF16 recognises UTF-16 by its byte order mark or, in text that is mostly Latin, by every other byte, which is zero. Where it
// passed through JSON, which holds UTF-8 alone, the bytes of the mark are replacement characters.
func fromUTF16(text string) (string, bool) {
	var order binary.ByteOrder = binary.LittleEndian
	const replaced = "\ufffd\ufffd"
	body := strings.TrimPrefix(text, replaced)
	switch {
	case strings.HasPrefix(body, "\xff\xfe"), zeroAt(body, 1):
	case strings.HasPrefix(body, "\xfe\xff"), zeroAt(body, 0):
		order = binary.BigEndian
	default:
		return "", false
	}
	if len(body)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(body)/2)
	for i := 0; i < len(body); i += 2 {
		units = append(units, order.Uint16([]byte(body[i:i+2])))
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"), true
}

// zeroAt reports whether every other byte, from the first or from the second, is zero, and no other is.
func zeroAt(text string, parity int) bool {
	if text == "" {
		return false
	}
	for i := range len(text) {
		if (text[i] == 0) != (i%2 == parity) {
			return false
		}
	}
	return true
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
