package dockerconfig

import (
	"encoding/json"
	"errors"
)

// Reasons why an entry cannot be published, to be found with errors.Is.
var (
	ErrTokenOnly = errors.New("the entry has an identity token or registry token and no password: a kubelet ignores tokens, " +
		"store username and password instead")
	ErrIncomplete = errors.New("the entry has neither an auth field nor both username and password")
	ErrConflict   = errors.New("the auth field differs from username or password, and clients disagree on which to take: " +
		"leave out one of the two")
	ErrFieldType = errors.New("a field has the wrong JSON type")
)

// Config is a docker config: the credential for each docker config key.
type Config map[string]Credential

// Raw returns the entries as [RenderRaw] and [ParseRaw] speak of them.
func (c Config) Raw() map[string]json.RawMessage {
	entries := make(map[string]json.RawMessage, len(c))
	for key, credential := range c {
		entries[key] = credential.entry()
	}
	return entries
}

// entry is the entry of a credential, rendered once. Nobody may change it.
func (c Credential) entry() json.RawMessage {
	render := func() json.RawMessage {
		return encode(struct {
			Username string `json:"username"`
			Password string `json:"password"`
			Auth     string `json:"auth"`
		}{c.Username(), c.Password(), c.auth()})
	}
	if c.sealed == nil {
		return render()
	}
	r := (*c.sealed).rendered
	r.once.Do(func() { r.entry = render() })
	return r.entry
}

// Render writes the content of a kubernetes.io/dockerconfigjson Secret. Every entry carries username, password and the
// auth field made of them, because clients differ in what they read. Equal configs give equal bytes.
func (c Config) Render() []byte {
	data, err := RenderRaw(c.Raw())
	if err != nil {
		panic("dockerconfig: rendered entries are valid JSON: " + err.Error())
	}
	return data
}

// Parse reads a docker config strictly: every entry must be one that every kubelet reads in the same way. It refuses
// what a kubelet cannot use (entries that leave the password to a credential store or helper, tokens alone), what it would choke
// on, and what it would read differently from other clients. A store or helper beside entries with passwords refuses nothing. All faults are reported, joined, those of entries as [*EntryError].
func Parse(data []byte) (Config, error) {
	document, err := parseDocument(data)
	if err != nil {
		return nil, err
	}
	entries, err := document.auths()
	if delegation := document.delegation(); delegation != nil && len(entries) == 0 {
		return nil, delegation
	}
	if err != nil {
		return nil, err
	}
	config := make(Config, len(entries))
	var faults []error
	for _, key := range entries.keys() {
		credential, err := parseEntry(key, entries[key])
		if delegation := document.delegation(); errors.Is(err, ErrIncomplete) && delegation != nil {
			err = delegation // the password is elsewhere
		}
		if err != nil {
			faults = append(faults, &EntryError{Key: key, Err: err})
			continue
		}
		config[key] = credential
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	// A field beside the entries can break a kubelet too.
	if err := WouldBreakPulls(data); err != nil {
		return nil, err
	}
	return config, nil
}

// delegation says what the config names that holds passwords elsewhere, or nil. What cannot be read as such is of no use to anybody.
func (o object) delegation() error {
	for _, delegation := range []struct {
		field  string
		reason error
	}{
		{"credsStore", ErrCredentialStore},
		{"credHelpers", ErrCredentialHelper},
	} {
		raw, err := o.field(delegation.field)
		if err == nil && raw != nil && string(raw) != `""` && string(raw) != `{}` {
			return delegation.reason
		}
	}
	return nil
}

// entry is one entry of a docker config.
type entry struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	Email         string `json:"email"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// parseEntry reads one entry strictly.
func parseEntry(key string, raw json.RawMessage) (Credential, error) {
	if key == "" {
		return Credential{}, ErrEmptyKey
	}
	members, err := parseObject(raw)
	if err != nil {
		return Credential{}, err
	}
	for _, name := range []string{"username", "password", "auth", "email", "identitytoken", "registrytoken"} {
		if _, err := members.field(name); err != nil {
			return Credential{}, err
		}
	}
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return Credential{}, ErrFieldType
	}
	return e.strict()
}

// strict is the credential of the entry if there is no doubt about it.
func (e entry) strict() (Credential, error) {
	username, password := e.Username, e.Password
	if e.Auth != "" {
		var err error
		if username, password, err = decodeAuth(e.Auth); err != nil {
			return Credential{}, err
		}
	}
	hasToken := e.IdentityToken != "" || e.RegistryToken != ""
	if password == "" && hasToken {
		return Credential{}, ErrTokenOnly
	}
	if e.Auth == "" && (username == "" || password == "") {
		return Credential{}, ErrIncomplete
	}
	credential, err := newCredential(username, password)
	if err != nil {
		return Credential{}, err
	}
	if e.differsFrom(credential) {
		return Credential{}, ErrConflict
	}
	return credential, nil
}

// differsFrom reports whether the fields beside auth say something else. Line breaks that are not published are no difference.
func (e entry) differsFrom(credential Credential) bool {
	if e.Username != "" && e.Username != credential.Username() {
		return true
	}
	password, _ := usable(e.Password)
	return e.Password != "" && password != credential.Password()
}
