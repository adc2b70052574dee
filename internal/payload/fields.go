package payload

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
)

// credential is the user name and the password of the fields.
func (r *rendering) credential() (dockerconfig.Credential, *Error) {
	if r.Keys.Auth != "" {
		value, fault := r.text(r.Keys.Auth, "the base64 of username:password")
		if fault != nil {
			return dockerconfig.Credential{}, fault
		}
		credential, err := authOf(value)
		return r.checked(credential, err, r.Keys.Auth, value)
	}
	if whole, ok := r.wholeKey(); ok {
		return whole, nil
	}
	if r.Keys.DockerConfig != "" {
		return dockerconfig.Credential{}, r.missingKey(r.Keys.DockerConfig)
	}
	username := r.Username
	if username == "" {
		var fault *Error
		if username, fault = r.text(r.Keys.Username, "the user name"); fault != nil {
			return dockerconfig.Credential{}, fault
		}
	}
	username = r.oneLine(r.Keys.Username, username)
	password, fault := r.password(r.Keys.Password)
	if fault != nil {
		return dockerconfig.Credential{}, fault
	}
	if _, is := dockerConfigIn(password); is {
		return dockerconfig.Credential{}, malformed("key %q holds a docker config and no password: set keys: {dockerConfig: %q}", r.Keys.Password, r.Keys.Password)
	}
	if inner, is := withoutUsername(username, password); is {
		password = inner
	}
	if username == "" {
		return dockerconfig.Credential{}, emptyUsername(r.Keys.Username)
	}
	credential, err := dockerconfig.NewCredential(username, password)
	return r.checked(credential, err, r.Keys.Password, password)
}

// emptyUsername is for a user name such as $oauthtoken, of which a shell made nothing.
func emptyUsername(key string) *Error {
	fault := malformed("key %q: %v: store it, in single quotes where it holds a $, which a shell takes for a variable", key, dockerconfig.ErrEmptyUsername)
	fault.Cause = dockerconfig.ErrEmptyUsername
	return fault
}

// oneLine takes the line break off a user name that comes from the same files as passwords.
func (r *rendering) oneLine(key, username string) string {
	bare := strings.TrimSuffix(strings.TrimSuffix(username, "\n"), "\r")
	if bare != username {
		r.note(dockerconfig.ReasonTrailingNewline, "the user name in key %q ends in a line break, which was taken off: store it without", key)
	}
	return bare
}

func (r *rendering) checked(credential dockerconfig.Credential, err error, key, value string) (dockerconfig.Credential, *Error) {
	if err != nil {
		fault := malformed("%v", err)
		fault.Cause = err
		if is := r.describe(value); r.Keys.Auth != "" && is != "" {
			fault.Message = fmt.Sprintf("key %q, which is to hold the base64 of username:password, %s", key, is)
		}
		return credential, fault
	}
	if credential.Trimmed() {
		r.noteTrimmed(fmt.Sprintf("key %q", key))
	}
	return fitGoogleKey(credential), nil
}

func (r *rendering) noteTrimmed(what string) {
	r.note(dockerconfig.ReasonTrailingNewline, "the password in %s ends in a line break, which was taken off: store it without", what)
}

// password is text, or a key of a service account that is stored as a JSON object.
func (r *rendering) password(key string) (string, *Error) {
	object, is := r.fields[key].(map[string]any)
	if !is {
		return r.text(key, "the password")
	}
	if !isServiceKey(object) {
		return "", r.notText(key, "the password", object)
	}
	return string(encode(object)), nil
}

// text takes a key as it is. Only text is taken: JSON numbers lose digits on their way through many tools, and nobody can say what
// was meant.
func (r *rendering) text(key, what string) (string, *Error) {
	value := r.fields[key]
	if value == nil {
		return "", r.missingKey(key)
	}
	if text, is := value.(string); is {
		if decoded, is := fromUTF16(text); is {
			r.note(dockerconfig.ReasonHiddenCharacter, "key %q is stored as UTF-16, and published as UTF-8: store it as UTF-8", key)
			return decoded, nil
		}
		return text, nil
	}
	return "", r.notText(key, what, value)
}

func (r *rendering) missingKey(key string) *Error {
	message := fmt.Sprintf("it has no key %q", key)
	for _, hint := range []func(string) string{r.holdsDockerConfig, r.isGoogleKey, r.tooDeep, r.otherKeys} {
		if says := hint(key); says != "" {
			return &Error{Reason: ErrKeyMissing, Message: message + "; " + says}
		}
	}
	return &Error{Reason: ErrKeyMissing, Message: message}
}

func (r *rendering) holdsDockerConfig(string) string {
	for _, name := range sortedKeys(r.fields) {
		if _, is := dockerConfigIn(r.fields[name]); is {
			return fmt.Sprintf("its key %q holds a docker config: set keys: {dockerConfig: %q}", shownName(name), shownName(name))
		}
	}
	return ""
}

func (r *rendering) isGoogleKey(string) string {
	if !isServiceKey(r.fields) {
		return ""
	}
	return fmt.Sprintf("the secret is a key of a service account: set username: %s, and leave keys out", userOfKey(r.fields))
}

// tooDeep is for a key that is in an object of the secret, as when the body of a request to Vault, or its answer, was stored as the
// secret.
func (r *rendering) tooDeep(key string) string {
	for _, name := range sortedKeys(r.fields) {
		outer, _ := r.fields[name].(map[string]any)
		inner, _ := outer["data"].(map[string]any)
		if outer[key] != nil || inner[key] != nil {
			return fmt.Sprintf("its key %s holds an object with that key: store what is inside as the secret itself", quoted(name))
		}
	}
	return ""
}

// keyName is what people name keys. What looks otherwise may be a password that was written in the place of its key, and is not shown.
var keyName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// otherKeys names the keys that are there, one of which was probably meant.
func (r *rendering) otherKeys(string) string {
	const most, longest = 4, 40
	var names []string
	for _, name := range sortedKeys(r.fields) {
		if told, _ := kindOf(name); told == nothing && keyName.MatchString(name) {
			names = append(names, fmt.Sprintf("%q", foreign.Text(name, longest)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if rest := len(names) - most; rest > 0 {
		names, more = names[:most], fmt.Sprintf(" and %d more", rest)
	}
	return "it has " + strings.Join(names, ", ") + more
}

func (r *rendering) notText(key, what string, value any) *Error {
	if _, is := dockerConfigIn(value); is {
		return malformed("key %q holds a docker config, not %s: set keys: {dockerConfig: %q}", key, what, key)
	}
	switch value := value.(type) {
	case json.Number:
		return malformed("key %q holds a number: store it as text, in quotes", key)
	case map[string]any:
		if isServiceKey(value) {
			return malformed("key %q holds a key of a service account, not %s: set username: %s and keys: {password: %q}", key, what, userOfKey(value), key)
		}
		return malformed("key %q holds a JSON object, not %s: name the key that holds it in spec.source, or store it as text", key, what)
	case []any:
		return malformed("key %q holds a JSON list, not %s: store it as text", key, what)
	}
	return malformed("key %q holds no text, but true or false: store %s as text, in quotes", key, what)
}

// usesNone reports whether none of the keys that hold user name and password is there.
func (r *rendering) usesNone() bool {
	for _, key := range []string{r.Keys.Username, r.Keys.Password, r.Keys.Auth, r.Keys.DockerConfig} {
		if key != "" && r.fields[key] != nil {
			return false
		}
	}
	return true
}

func (r *rendering) storeCommand(key, file string) string {
	if r.Store == nil {
		return ""
	}
	command := r.Store(key, file)
	if command == "" {
		return ""
	}
	return ": store the file with `" + command + "`"
}
