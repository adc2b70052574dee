package dockerconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/registry"
)

// Reason is a stable name for a kind of finding, fit for a condition or a label.
type Reason string

// What [Lint] finds. Those marked "breaks pulls" stop every pull of a pod that refers to the Secret.
const (
	// ReasonMalformed: a kubelet cannot read the document. Breaks pulls.
	ReasonMalformed Reason = v1alpha1.ReasonMalformed
	// ReasonTooLarge: the document is larger than a Secret can be, or has too many members to be looked at.
	ReasonTooLarge Reason = v1alpha1.ReasonTooLarge
	// ReasonNoEntries: there is no entry, so a kubelet pulls without credential.
	ReasonNoEntries Reason = v1alpha1.ReasonNoEntries
	// ReasonLegacyFormat: the entries are not under "auths", where a kubelet looks for them.
	ReasonLegacyFormat Reason = v1alpha1.ReasonLegacyFormat
	// ReasonDuplicateKey: a JSON key occurs twice; a kubelet takes the last.
	ReasonDuplicateKey Reason = v1alpha1.ReasonDuplicateKey
	// ReasonCredentialStore: credsStore or credHelpers; a kubelet runs no such program.
	ReasonCredentialStore Reason = v1alpha1.ReasonCredentialStore
	// ReasonTokenOnly: an identity token or registry token without password; a kubelet ignores tokens.
	ReasonTokenOnly Reason = v1alpha1.ReasonTokenOnly
	// ReasonIncomplete: user name or password is missing or empty.
	ReasonIncomplete Reason = v1alpha1.ReasonIncomplete
	// ReasonConflictingLogin: auth differs from username or password; a kubelet takes auth.
	ReasonConflictingLogin Reason = v1alpha1.ReasonConflictingLogin
	// ReasonTrailingNewline: the password ends in a line break; registries answer 401.
	ReasonTrailingNewline Reason = v1alpha1.ReasonTrailingNewline
	// ReasonUnusableCharacters: control characters, no UTF-8, a colon in the user name, or more than 64 KiB.
	ReasonUnusableCharacters Reason = v1alpha1.ReasonUnusableCharacters
	// ReasonEmptyKey: the key names no registry.
	ReasonEmptyKey Reason = v1alpha1.ReasonEmptyKey
	// ReasonDockerHubKey: a name of Docker Hub that a kubelet does not know.
	ReasonDockerHubKey Reason = v1alpha1.ReasonDockerHubKey
	// ReasonVersionWithoutSlash: the key is a host with /v1 or /v2 behind it, which a kubelet takes for a part of the image's path.
	ReasonVersionWithoutSlash Reason = v1alpha1.ReasonVersionWithoutSlash
	// ReasonMisleadingWildcard: a wildcard that is meant for several labels or for a path, and stands for part of one label.
	ReasonMisleadingWildcard Reason = v1alpha1.ReasonMisleadingWildcard
	// ReasonLetterCaseDiffers: images in use have a host that differs from the key by upper case letters. Only whoever sees images can find it.
	ReasonLetterCaseDiffers Reason = v1alpha1.ReasonLetterCaseDiffers
	// ReasonInvalidPort: the port is no port.
	ReasonInvalidPort Reason = v1alpha1.ReasonInvalidPort
	// ReasonPortMissing: images in use have a port that the key lacks. Only whoever sees images can find it.
	ReasonPortMissing Reason = v1alpha1.ReasonPortMissing
	// ReasonPortDiffers: images in use have another port than the key, or none. Only whoever sees images can find it.
	ReasonPortDiffers Reason = v1alpha1.ReasonPortDiffers
	// ReasonOtherName: images in use have another host of the same service. Only whoever sees images can find it.
	ReasonOtherName Reason = v1alpha1.ReasonOtherName
	// ReasonUnmatchable: no image reference can match the key.
	ReasonUnmatchable Reason = v1alpha1.ReasonUnmatchable
	// ReasonShadowed: another key of the document is used instead for every image.
	ReasonShadowed Reason = v1alpha1.ReasonShadowed
	// ReasonUnreadableEnd: a field looks like the end of the credential and cannot be read. Only whoever reads the source can find it.
	ReasonUnreadableEnd Reason = v1alpha1.ReasonUnreadableEnd
	// ReasonHiddenCharacter: a user name or password holds a character that cannot be seen.
	ReasonHiddenCharacter Reason = v1alpha1.ReasonHiddenCharacter
	// ReasonPlaceholder: a user name or password is a placeholder that no template replaced. Only whoever reads the source can find it.
	ReasonPlaceholder Reason = v1alpha1.ReasonPlaceholder
	// ReasonQuotesOrEscapes: a user name or password has quotes around it, or an escape of a shell, of JSON, of HTML or of URLs.
	ReasonQuotesOrEscapes Reason = v1alpha1.ReasonQuotesOrEscapes
	// ReasonSurroundingSpace: a user name or password begins or ends with a space.
	ReasonSurroundingSpace Reason = v1alpha1.ReasonSurroundingSpace
)

// Finding is something in a docker config that a kubelet cannot use as it was meant.
type Finding struct {
	// Key is the docker config key, empty where the document as a whole is meant.
	Key string
	// Reason is one of the constants of this package.
	Reason Reason
	// Message says what is wrong and what to write instead. It holds no value of the document.
	Message string
	// BreaksPulls is set where a kubelet fails every pull of a pod with this Secret, as [WouldBreakPulls] says.
	BreaksPulls bool
}

// String is the finding in a sentence.
func (f Finding) String() string {
	if f.Key == "" {
		return f.Message
	}
	return fmt.Sprintf("entry %q: %s", registry.Shown(f.Key), f.Message)
}

// Lint reports every form in a docker config that a kubelet can never use, sorted by key: first what concerns the
// document, then the entries. Of a document that [IsCrowded] it says that and nothing else. What it gives is shared: nobody may change
// it.
func Lint(data []byte) []Finding {
	return remembered(lints, data, func() []Finding {
		_, findings := ParseLenient(data)
		return findings
	})
}

// ParseLenient reads an existing docker config as far as a kubelet can use it, and says what it cannot use.
// An entry under a key that matches no image is still returned. Where a finding BreaksPulls, a kubelet uses none of
// the entries until that is fixed. A trailing line break of a password is taken off, and reported. A document that [IsCrowded] is not
// read.
func ParseLenient(data []byte) (Config, []Finding) {
	config := Config{}
	if IsCrowded(data) {
		return config, []Finding{{Reason: ReasonTooLarge, Message: fmt.Sprintf(
			"the docker config has more entries and fields than are looked at (%d): what a kubelet cannot use in it is not found", mostMembers)}}
	}
	document, findings := lintDocument(data)
	for _, key := range object(document.Auths).keys() {
		findings = append(findings, LintKey(key)...)
		var e kubeletEntry
		if err := json.Unmarshal(document.Auths[key], &e); err != nil {
			continue // malformed: lintDocument has reported it
		}
		credential, faults := e.lint(key, document.Auths[key])
		findings = append(findings, faults...)
		if !credential.IsZero() {
			config[key] = credential
		}
	}
	findings = append(findings, lintShadowed(object(document.Auths).keys())...)
	slices.SortStableFunc(findings, func(a, b Finding) int { return strings.Compare(a.Key, b.Key) })
	return config, findings
}

// looseDocument is as much of a document as can be read at all.
type looseDocument struct {
	Auths map[string]json.RawMessage `json:"auths"`
}

// lintDocument looks at the document as a whole.
func lintDocument(data []byte) (looseDocument, []Finding) {
	var document looseDocument
	if len(data) > MaxSize {
		return document, []Finding{{Reason: ReasonTooLarge, Message: ErrTooLarge.Error()}}
	}
	var findings []Finding
	report := func(reason Reason, err error) {
		findings = append(findings, Finding{Reason: reason, Message: err.Error()})
	}
	if err := WouldBreakPulls(data); err != nil {
		findings = append(findings, malformed(err)...)
	}
	_ = json.Unmarshal(data, &document) // what can be read; the rest is reported above
	strict, err := parseDocument(data)
	if err == nil {
		if err := strict.delegation(); err != nil {
			report(ReasonCredentialStore, err)
		}
		_, err = strict.auths()
	}
	switch {
	case errors.Is(err, ErrDuplicateKey):
		report(ReasonDuplicateKey, err)
	case errors.Is(err, ErrInvalidUTF8):
		report(ReasonUnusableCharacters, err)
	case errors.Is(err, ErrLegacyFormat):
		report(ReasonLegacyFormat, err)
	case len(document.Auths) == 0 && len(findings) == 0:
		report(ReasonNoEntries, errors.New("the docker config has no entries, so images are pulled without credential"))
	}
	return document, findings
}

// malformed turns what breaks pulls into findings, one for each entry at fault.
func malformed(err error) []Finding {
	var findings []Finding
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, fault := range faults {
		finding := Finding{Reason: ReasonMalformed, BreaksPulls: true,
			Message: fault.Error() + "; while it is so, no pod that refers to this Secret can pull any image"}
		if entry, ok := errors.AsType[*EntryError](fault); ok {
			finding.Key = entry.Key
		}
		findings = append(findings, finding)
	}
	return findings
}
