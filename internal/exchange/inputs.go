package exchange

import (
	"strings"

	"regcred.dev/regcred/internal/payload"
)

// longestSent is the most bytes of a field that is sent to a cloud. Tokens of Entra have a few thousand, and the clouds' front doors refuse
// much more.
const longestSent = 16 << 10

// inputs are what a source gave to be traded. What no cloud can have given is found before anything is sent: a key with a line break
// within makes no request, and would look like a cloud that does not answer.
type inputs struct {
	fields payload.Fields
	// fault is the first that was found, nil where there is none.
	fault *Error
}

// text is a field that holds text, under the first of the names that is there, without the space around it that people and shells leave.
// Empty where none is.
func (i *inputs) text(names ...string) string {
	for _, name := range names {
		value, _ := i.fields[name].(string)
		if value = strings.TrimSpace(value); value == "" {
			continue
		}
		switch {
		case i.fault != nil:
		case len(value) > longestSent:
			i.fault = fault(ErrInput, "%s is longer than anything that the cloud gives", name)
		case strings.ContainsFunc(value, notGiven):
			i.fault = fault(ErrInput, "%s holds a space, a line break or another character that the cloud never puts there", name)
		}
		return value
	}
	return ""
}

// notGiven reports whether a character is in no key, secret or token of a cloud: all of them are printable ASCII.
func notGiven(r rune) bool { return r <= ' ' || r > '~' }
