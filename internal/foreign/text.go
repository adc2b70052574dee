// Package foreign makes text that others wrote fit to be shown: in a status, an event, a log or a terminal. Whatever comes from an
// object that a tenant can write, from a registry or from Vault goes through it before it is put into a message.
package foreign

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// NameLength is the most bytes of a name, a key or a reference that a message quotes: a DNS name fits.
	NameLength = 253
	// MessageLength is the most bytes of a whole message of a status or an event: the events API refuses more than 1024.
	MessageLength = 1000

	ellipsis = "…"
)

// Name cuts and cleans something short that somebody else chose.
func Name(text string) string { return Text(text, NameLength) }

// Message cuts and cleans a message that quotes others.
func Message(text string) string { return Text(text, MessageLength) }

// Text returns text in at most limit bytes of valid UTF-8 on one line. What cannot be seen, or changes how the text around it is
// shown (control characters, invisible and bidirectional marks), becomes a space. Where something was cut off, it ends in "…". Its
// cost is bounded by limit, not by the length of text.
func Text(text string, limit int) string {
	var b strings.Builder
	cut := 0 // where the ellipsis still fits
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		at += size
		if !shown(r, size) {
			r = ' '
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			return shortened(b.String()[:cut], limit)
		}
		b.WriteRune(r)
		if b.Len()+len(ellipsis) <= limit {
			cut = b.Len()
		}
	}
	return b.String()
}

func shown(r rune, size int) bool {
	invalid := r == utf8.RuneError && size <= 1
	return !invalid && (r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r))
}

func shortened(text string, limit int) string {
	if limit < len(ellipsis) {
		return ""
	}
	return strings.TrimRight(text, " ") + ellipsis
}
