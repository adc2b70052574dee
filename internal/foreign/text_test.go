package foreign_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"regcred.dev/regcred/internal/foreign"
)

func TestText(t *testing.T) {
	for _, test := range []struct {
		name, text string
		limit      int
		want       string
	}{
		{"what is harmless stays", "ghcr.io/company: Zugriff verweigert, ä 世界", 100, "ghcr.io/company: Zugriff verweigert, ä 世界"},
		{"what fits exactly is not cut", "12345", 5, "12345"},
		{"one byte more is cut, with a sign of it", "123456", 5, "12…"},
		{"a character of several bytes is never cut in two", "ääää", 7, "ää…"},
		{"a line break does not begin a line", "a\r\nb", 100, "a  b"},
		{"an escape sequence does not reach a terminal", "\x1b[31mred\x07", 100, " [31mred "},
		{"a mark that turns text around is a space", "a\u202eb\u2066c", 100, "a b c"},
		{"what cannot be seen is a space", "a\u200bb\ufeffc\u00a0d", 100, "a b c d"},
		{"bytes that are no text are spaces", "a\xff\xfeb", 100, "a  b"},
		{"nothing fits into nothing", "abc", 0, ""},
		{"nothing stays nothing", "", 10, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := foreign.Text(test.text, test.limit); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[0m\u202e", 10)
	f.Add(strings.Repeat("ä", 100), 33)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 0), 1<<16)
		got := foreign.Text(text, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("%d bytes of %d, valid: %t", len(got), limit, utf8.ValidString(got))
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q has a character that cannot be seen", got)
		}
		if again := foreign.Text(got, limit); again != got {
			t.Errorf("cleaning again changed %q to %q", got, again)
		}
	})
}
