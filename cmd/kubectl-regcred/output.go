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
		written, err := yaml.JSONToYAML(encoded.Bytes())
		if err != nil {
			return err
		}
		text = visible(string(written))
	}
	_, err := io.WriteString(out, text)
	return err
}

// visible replaces what cannot be seen, or changes how the text around it is shown. YAML escapes characters in quoted strings alone, so
// that they cannot be kept.
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
