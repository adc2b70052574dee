// Package payload makes a registry credential of what a source keeps: fields come in; a docker config, its end and what is to be
// said about it come out. It knows no source and reads no clock. No error and no finding holds anything of a value.
package payload

import (
	"errors"
	"fmt"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/registry"
)

// Why fields are no credential, to be found with errors.Is. A source adds where they were read.
var (
	ErrBadRegistry     = errors.New("no image can match a registry of the spec")
	ErrKeyMissing      = errors.New("a key is missing")
	ErrRegistryMissing = errors.New("a registry of the spec is missing")
	ErrMalformed       = errors.New("the value is no credential")
)

// Error is why fields are no credential: one of the reasons of this package, with the words for people.
type Error struct {
	// Reason is one of the reasons above.
	Reason error
	// Message says what was found and what to do. It holds nothing of a value.
	Message string
	// Cause is more about it for errors.Is; nil where there is none.
	Cause error
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives reason and cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Cause}
}

func malformed(format string, args ...any) *Error {
	return &Error{Reason: ErrMalformed, Message: fmt.Sprintf(format, args...)}
}

// Fields are the keys of a secret. A value is what encoding/json makes of JSON with UseNumber: a string, a json.Number, a bool, nil,
// a map[string]any or a []any.
type Fields map[string]any

// Keys names the fields that hold the credential: Username and Password, or Auth, or DockerConfig. Its fields are those of the API.
type Keys struct {
	Username, Password, Auth, DockerConfig string
}

// Want says what is to be made of the fields.
type Want struct {
	// Registries of the spec: no other entry comes out.
	Registries []v1alpha1.Registry
	// PerHost has the entries come out under the hosts of the registries.
	PerHost bool
	// Keys with their defaults filled in.
	Keys Keys
	// Username where the spec gives it; empty where a key holds it.
	Username string
	// Where names the place in messages.
	Where string
	// Store is the command that stores a file under a key at the place, empty where a shell would read it otherwise. Nil where nobody
	// can store there.
	Store func(key, file string) string
	// Written is when the fields were written, and the moment from which lifetimes count. Zero where nobody knows.
	Written time.Time
	// About are the source's own notes on the value, such as the custom metadata of Vault's KV version 2. Ends are read there, too.
	About Fields
	// From is what the fields were made of, nil where they came as they are. Ends are read there, too.
	From Fields
}

// Payload is a credential as it was read.
type Payload struct {
	// Config has one entry for each registry of the spec, under its canonical docker config key.
	Config dockerconfig.Config
	// Expire is the earliest end that the fields or the credential tell of. Zero where none is known.
	Expire time.Time
	// Findings are forms that were put right, and what is probably not meant.
	Findings []dockerconfig.Finding
}

// Render makes the credential. The error is an [*Error].
func Render(fields Fields, want Want) (Payload, error) {
	r := rendering{Want: want, fields: opened(fields)}
	config, fault := r.config()
	if fault == nil && want.PerHost {
		config, fault = perHost(config)
	}
	if fault != nil {
		fault.Message = foreign.Text(fault.Message, longestMessage)
		return Payload{}, fault
	}
	p := Payload{Config: config}
	r.noteForms(config)
	p.Expire = r.ends(config)
	p.Findings = r.findings
	return p, nil
}

// longestMessage, in bytes, leaves room for the place and the advice of a source.
const longestMessage = 400

// rendering makes docker config entries of a secret's fields.
type rendering struct {
	Want
	fields   Fields
	findings []dockerconfig.Finding
}

// config gives one entry for each registry of the spec, under its canonical key.
func (r *rendering) config() (dockerconfig.Config, *Error) {
	keys, fault := r.canonicalKeys()
	if fault != nil {
		return nil, fault
	}
	if name, document := r.document(); document != nil {
		return r.fromDocument(name, document, keys)
	}
	credential, fault := r.credential()
	if fault != nil {
		return nil, fault
	}
	config := make(dockerconfig.Config, len(keys))
	for key := range keys {
		config[key] = credential
	}
	return config, nil
}

// canonicalKeys are the docker config keys of the spec's registries, each with the spelling of the spec.
func (r *rendering) canonicalKeys() (map[string]string, *Error) {
	keys := make(map[string]string, len(r.Registries))
	for _, name := range r.Registries {
		key, err := registry.CanonicalKey(string(name))
		if err != nil {
			return nil, &Error{Reason: ErrBadRegistry, Message: err.Error(), Cause: err}
		}
		keys[key] = string(name)
		r.noteKey("spec.registries", string(name), key)
	}
	return keys, nil
}

// noteKey notes a spelling of a registry that a kubelet never uses. It is published under its canonical key.
func (r *rendering) noteKey(where, name, canonical string) {
	for _, finding := range dockerconfig.LintKey(name) {
		finding.Key, finding.Message = "", fmt.Sprintf("%s: %s. It is published as %q", where, finding, canonical)
		r.findings = append(r.findings, finding)
	}
}

func (r *rendering) note(reason dockerconfig.Reason, format string, args ...any) {
	r.findings = append(r.findings, dockerconfig.Finding{Reason: reason, Message: r.Where + ": " + fmt.Sprintf(format, args...)})
}
