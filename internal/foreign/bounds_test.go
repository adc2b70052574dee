package foreign_test

import (
	"strings"
	"testing"

	"regcred.dev/regcred/internal/foreign"
)

func TestNamesAndMessagesAreCutAndCleaned(t *testing.T) {
	long := "a\nb" + strings.Repeat("x", 5000)
	for _, test := range []struct {
		name, text, begins string
		most               int
	}{
		{"a name", foreign.Name(long), "a bx", foreign.NameLength}, {"a message", foreign.Message(long), "a bx", foreign.MessageLength},
	} {
		if len(test.text) > test.most || len(test.text) < test.most-4 || !strings.HasPrefix(test.text, test.begins) || !strings.HasSuffix(test.text, "…") {
			t.Errorf("%s of %d bytes: %.20q", test.name, len(test.text), test.text)
		}
	}
	if foreign.Name("shop") != "shop" || foreign.Message("all is well") != "all is well" {
		t.Error("what is short is changed")
	}
}

func TestTextsAtTheBound(t *testing.T) {
	for _, test := range []struct {
		name, text string
		limit      int
		want       string
	}{
		{"what fits is left", "abcdef", 6, "abcdef"},
		{"what does not is cut", "abcdefg", 6, "abc…"},
		{"a space before the cut goes", "ab cdefg", 6, "ab…"},
		{"room for the mark alone", "abcdefg", 3, "…"},
		{"no room for the mark", "abcdefg", 2, ""},
		{"a letter of several bytes is not cut through", "aäöü", 6, "aä…"},
		{"a replacement character that was written stays", "a\uFFFDb", 9, "a\uFFFDb"},
		{"a byte that is no letter becomes a space", "a\xffb", 9, "a b"},
		{"other spaces become one of the usual ones", "a\u00a0b\u2003c", 20, "a b c"},
	} {
		if got := foreign.Text(test.text, test.limit); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
