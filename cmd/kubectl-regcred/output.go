package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// printObject writes an object as JSON or YAML that changes no terminal: the encoder escapes control characters of ASCII alone.
func printObject(out io.Writer, format string, object any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return err
	}
	text := escaped(encoded.String())
	if format == "yaml" {
		written, err := visibleYAML(encoded.Bytes())
		if err != nil {
			return err
		}
		text = string(written)
	}
	_, err := io.WriteString(out, text)
	return err
}

// visibleYAML writes JSON as YAML without what cannot be seen: YAML escapes characters in quoted strings alone. They go before the text is
// written, because what takes their place decides how a string is: one that begins with a space, or in which " #" begins a comment.
func visibleYAML(encoded []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var object any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	return yaml.Marshal(visibleIn(object))
}

// visibleIn is a value with visible strings.
func visibleIn(value any) any {
	switch v := value.(type) {
	case string:
		return visible(v)
	case []any:
		for i := range v {
			v[i] = visibleIn(v[i])
		}
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, one := range v {
			shown[visible(key)] = visibleIn(one)
		}
		return shown
	}
	return value
}

// visible replaces what cannot be seen, or changes how the text around it is shown.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, text)
}

// escaped writes what cannot be seen, or changes how the text around it is shown, as JSON's own escapes. Outside of strings there is none.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && r != 0x7f || unicode.IsGraphic(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
