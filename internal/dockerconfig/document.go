package dockerconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"regcred.dev/regcred/internal/registry"
)

// MaxSize is the largest document, in bytes, that is looked at: the limit of the API server for a Secret's data
// (corev1.MaxSecretSize).
const MaxSize = 1 << 20

// mostMembers is how many members of objects a document may have that is looked at entry by entry: some hundred entries have that many.
// Each costs some microseconds, and whoever may write the Secret decides how many there are.
const mostMembers = 5000

// Members is never less than the number of members of all objects in a document, and costs next to nothing: each is written with a
// colon.
func Members(data []byte) int { return bytes.Count(data, []byte{':'}) }

// IsCrowded reports whether a document has more entries and fields than are looked at one by one.
func IsCrowded(data []byte) bool { return Members(data) > mostMembers }

// Reasons why a document is no docker config, to be found with errors.Is.
var (
	ErrTooLarge        = errors.New("the docker config is larger than 1 MiB")
	ErrInvalidUTF8     = errors.New("the docker config is not valid UTF-8")
	ErrInvalidJSON     = errors.New("the docker config is not valid JSON, or something follows it")
	ErrNotObject       = errors.New("not a JSON object")
	ErrDuplicateKey    = errors.New("the key is there twice")
	ErrEmptyKey        = errors.New("the key is empty")
	ErrNoAuths         = errors.New(`the docker config has no "auths"`)
	ErrLegacyFormat    = errors.New(`the docker config has the old .dockercfg form: put its entries under "auths"`)
	ErrCredentialStore = errors.New("credsStore points to a credential store on somebody's machine, which a kubelet cannot ask: " +
		"store username and password instead")
	ErrCredentialHelper = errors.New("credHelpers names programs on somebody's machine, which a kubelet does not run: " +
		"store username and password instead")
)

// EntryError says what is wrong with one entry of a docker config. It names the key and never a value.
type EntryError struct {
	// Key is the docker config key: the registry.
	Key string
	// Err is one of the reasons of this package.
	Err error
}

// Error implements error.
func (e *EntryError) Error() string {
	return fmt.Sprintf("docker config entry %q: %v", registry.Shown(e.Key), e.Err)
}

// Unwrap gives the reason.
func (e *EntryError) Unwrap() error { return e.Err }

// object is a JSON object, its values untouched.
type object map[string]json.RawMessage

// parseDocument checks what a document must be before anything in it is looked at.
func parseDocument(data []byte) (object, error) {
	switch {
	case len(data) > MaxSize:
		return nil, ErrTooLarge
	case !utf8.Valid(data):
		return nil, ErrInvalidUTF8
	case !json.Valid(data):
		return nil, ErrInvalidJSON
	}
	document, err := parseObject(data)
	if errors.Is(err, ErrNotObject) {
		return nil, fmt.Errorf("the docker config is %w", err)
	}
	return document, err
}

// parseObject reads one level of valid JSON and refuses a key that occurs twice.
func parseObject(data []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, ErrNotObject
	}
	members := object{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, ErrInvalidJSON
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, &EntryError{Key: name, Err: ErrDuplicateKey}
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, ErrInvalidJSON
		}
		members[name] = value
	}
	return members, nil
}

// field finds a member as encoding/json does for the kubelet: by name in any case. Null counts as absent.
func (o object) field(name string) (json.RawMessage, error) {
	var found json.RawMessage
	for member, value := range o {
		if !strings.EqualFold(member, name) {
			continue
		}
		if found != nil {
			return nil, &EntryError{Key: name, Err: ErrDuplicateKey}
		}
		found = value
	}
	if string(found) == "null" {
		return nil, nil
	}
	return found, nil
}

// keys are the member names, sorted.
func (o object) keys() []string {
	keys := make([]string, 0, len(o))
	for key := range o {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// auths are the entries of the document. The error is ErrNoAuths or ErrLegacyFormat where there are none.
func (o object) auths() (object, error) {
	raw, err := o.field("auths")
	if err != nil {
		return nil, err
	}
	if raw == nil {
		if o.looksLegacy() {
			return nil, ErrLegacyFormat
		}
		return nil, ErrNoAuths
	}
	entries, err := parseObject(raw)
	if errors.Is(err, ErrNotObject) {
		return nil, fmt.Errorf(`"auths" is %w`, err)
	}
	return entries, err
}

// looksLegacy recognises the flat .dockercfg form, which has the entries at the top.
func (o object) looksLegacy() bool {
	for _, value := range o {
		entry, err := parseObject(value)
		if err != nil {
			continue
		}
		for _, name := range []string{"auth", "username", "password"} {
			if raw, err := entry.field(name); raw != nil || err != nil {
				return true
			}
		}
	}
	return false
}
