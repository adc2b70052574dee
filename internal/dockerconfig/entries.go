package dockerconfig

import "encoding/json"

// ParseEntry reads one entry of [ParseRaw] strictly, as [Parse] does, and demands what [NewCredential] demands. The error is one of the reasons
// of this package.
func ParseEntry(key string, raw json.RawMessage) (Credential, error) {
	return bounded(parseEntry(key, raw))
}

// ParseKept is ParseEntry for an entry that is published already: it can be of any length.
func ParseKept(key string, raw json.RawMessage) (Credential, error) { return parseEntry(key, raw) }

// Delegation says which part of a docker config leaves passwords to programs that a kubelet does not run: [ErrCredentialStore] or
// [ErrCredentialHelper], nil where there is none or the document cannot be read. It is no fault of the entries beside it that have
// passwords of their own.
func Delegation(data []byte) error {
	document, err := parseDocument(data)
	if err != nil {
		return nil //nolint:nilerr // of a document that cannot be read nothing else can be said
	}
	return document.delegation()
}
