package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"sigs.k8s.io/yaml"
)

// Others choose what stands in a message: a kubelet, a registry, or the people of a namespace.
func TestYAMLIsReadAsWhatItShows(t *testing.T) {
	for _, text := range []string{
		"\u200bx\ny", "\u202e\nx\ny", "a\u200b#b", "a:\u200bb", "\u200b- a", "\u200b", "\u0085x\ny", "x\n\u200b y\nz", "\u2028x\ny", "x\ty\nz", "\tx\ny", "x\u00a0\ny", "x\n\n", "\n\nx",
		"'\u200b'", "| \u200b\nx", "\ufeffx: y", "\x1b[2J\x7f\u009b", "on", "1e3", "null", "~", "é 漢", "{\u200b}", "&\u200ba", "*\u200ba", "?\u200bx", "x\r\ny", "\U000e0041x\n  y",
	} {
		parses(t, text)
	}
}

func FuzzYAML(f *testing.F) {
	f.Add("\u200bx\ny")
	f.Fuzz(func(t *testing.T, text string) { parses(t, text) })
}

// parses writes a text as YAML and reads it again: it is the same but for what cannot be seen.
func parses(t *testing.T, text string) {
	t.Helper()
	var out bytes.Buffer
	err := printObject(&out, "yaml", map[string]any{"notes": []string{text}, text: text, "number": 9007199254740993})
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }) {
		t.Errorf("of %q it shows %q", text, out.String())
	}
	var read struct {
		Notes  []string
		Number int64
	}
	want := visible(strings.ToValidUTF8(text, "\ufffd"))
	if err := yaml.Unmarshal(out.Bytes(), &read); err != nil || len(read.Notes) != 1 || read.Notes[0] != want && len(strings.ToValidUTF8(text, "")) == len(text) || read.Number != 9007199254740993 {
		t.Errorf("of %q it shows\n%s\n%v: it is read as %+v", text, out.String(), err, read)
	}
}
