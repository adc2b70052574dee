// Package dockerconfig renders, parses and lints the content of kubernetes.io/dockerconfigjson Secrets.
//
// It has two views of such a document. [Parse] is strict, for what regcred is going to publish. [ParseLenient],
// [WouldBreakPulls] and [Lint] see a document as a kubelet does (Kubernetes 1.37, pkg/credentialprovider/config.go),
// for what is already there. [ParseRaw] and [RenderRaw] carry entries through untouched. No error and no finding
// ever holds a user name or a password.
package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Reasons why a user name and a password are no usable credential, to be found with errors.Is.
var (
	ErrEmptyUsername    = errors.New("the user name is empty")
	ErrEmptyPassword    = errors.New("the password is empty")
	ErrTooLong          = errors.New("the user name or the password is longer than 64 KiB, which is more than any registry gives")
	ErrColonInUsername  = errors.New("the user name holds a colon, which would end it in the auth field")
	ErrControlCharacter = errors.New("the user name or the password holds a control character, such as a tab or a line break")
	ErrNotText          = errors.New("the user name or the password is not valid UTF-8")
	ErrMalformedAuth    = errors.New("the auth field is not base64 of username:password")
)

// MaxLength is the most bytes of a user name, and of a password. Tokens of registries have a few thousand; one that is far longer would take the
// room of others in each Secret that they share, and no server takes it in a header.
const MaxLength = 64 << 10

// redacted stands for a credential wherever it is printed.
const redacted = "[redacted]"

// Credential is a user name and a password for a registry. Every way of printing, logging or encoding it gives
// "[redacted]"; only [Credential.Username], [Credential.Password] and the functions that render a docker config
// give it away. The zero value is empty.
type Credential struct {
	// Two pointers, because fmt prints unexported fields of other structs without asking for their methods. It follows
	// one pointer, with a verb that does not fit, and shows the address for the second.
	sealed **pair
}

type pair struct {
	username, password string
	trimmed            bool
	rendered           *rendered
}

// rendered is an entry that is made where it is asked for first: a value is written into thousands of Secrets.
type rendered struct {
	once  sync.Once
	entry json.RawMessage
}

// open is the pair, empty for the zero value.
func (c Credential) open() pair {
	if c.sealed == nil {
		return pair{}
	}
	return **c.sealed
}

// NewCredential checks a user name and a password. One trailing line break ("\n" or "\r\n") of the password is taken
// off: it comes from the editor or the shell that stored it, and registries answer it with 401. A password that is a JSON
// object, or wrapped base64 of one, is put on one line.
func NewCredential(username, password string) (Credential, error) {
	return bounded(newCredential(username, password))
}

// bounded asks for the length where a value comes in, and not where a kept one is read: what an earlier version published stays.
func bounded(c Credential, err error) (Credential, error) {
	if len(c.Username()) > MaxLength || len(c.Password()) > MaxLength {
		return Credential{}, ErrTooLong
	}
	return c, err
}

func newCredential(username, password string) (Credential, error) {
	bare, trimmed := usable(password)
	switch {
	case username == "":
		return Credential{}, ErrEmptyUsername
	case bare == "":
		return Credential{}, ErrEmptyPassword
	case !utf8.ValidString(username) || !utf8.ValidString(bare):
		return Credential{}, ErrNotText
	case strings.ContainsFunc(username+bare, unicode.IsControl):
		return Credential{}, ErrControlCharacter
	case strings.Contains(username, ":"):
		return Credential{}, ErrColonInUsername
	}
	content := &pair{username: username, password: bare, trimmed: trimmed, rendered: &rendered{}}
	return Credential{sealed: &content}, nil
}

// FromAuth reads the auth field of a docker config entry, which is base64(username:password), padded or not. It
// decodes what a kubelet decodes, and then demands what [NewCredential] demands.
func FromAuth(auth string) (Credential, error) {
	username, password, err := decodeAuth(auth)
	if err != nil {
		return Credential{}, err
	}
	return NewCredential(username, password)
}

// decodeAuth follows the kubelet: a field that ends in "=" is padded base64, any other unpadded; line breaks within
// are skipped, other white space is an error.
func decodeAuth(auth string) (username, password string, err error) {
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(strings.TrimSpace(auth), "=") {
		encoding = base64.StdEncoding
	}
	decoded, err := encoding.DecodeString(auth)
	if err != nil {
		return "", "", ErrMalformedAuth
	}
	username, password, found := strings.Cut(string(decoded), ":")
	if !found {
		return "", "", ErrMalformedAuth
	}
	return username, password, nil
}

// trimLineBreak takes one trailing line break off.
func trimLineBreak(s string) string {
	bare, found := strings.CutSuffix(s, "\n")
	if found {
		bare = strings.TrimSuffix(bare, "\r")
	}
	return bare
}

// Username returns the user name.
func (c Credential) Username() string { return c.open().username }

// Password returns the password.
func (c Credential) Password() string { return c.open().password }

// Trimmed reports whether a trailing line break was taken off the password.
func (c Credential) Trimmed() bool { return c.open().trimmed }

// IsZero reports whether c is the zero value.
func (c Credential) IsZero() bool { return c.sealed == nil }

// Equal reports whether both have the same user name and password. It does not run in constant time: it compares
// what regcred itself holds, never what a stranger sends.
func (c Credential) Equal(other Credential) bool {
	return c.Username() == other.Username() && c.Password() == other.Password()
}

// auth is the auth field of a docker config entry.
func (c Credential) auth() string {
	return base64.StdEncoding.EncodeToString([]byte(c.Username() + ":" + c.Password()))
}

// Format implements [fmt.Formatter]: every verb prints "[redacted]".
func (Credential) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, redacted)
}
