package dockerconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"regcred.dev/regcred/internal/registry"
)

// lint looks at one entry that a kubelet can read, and gives the credential that it takes from it.
func (e kubeletEntry) lint(key string, raw json.RawMessage) (Credential, []Finding) {
	report := func(reason Reason, err error) []Finding {
		return []Finding{{Key: key, Reason: reason, Message: err.Error()}}
	}
	var tokens struct {
		IdentityToken json.RawMessage `json:"identitytoken"` // of any size and form
		RegistryToken json.RawMessage `json:"registrytoken"`
	}
	if e.password == "" && json.Unmarshal(raw, &tokens) == nil && (isSet(tokens.IdentityToken) || isSet(tokens.RegistryToken)) {
		return Credential{}, report(ReasonTokenOnly, ErrTokenOnly)
	}
	credential, err := NewCredential(e.username, e.password)
	switch {
	case errors.Is(err, ErrEmptyUsername), errors.Is(err, ErrEmptyPassword):
		return Credential{}, report(ReasonIncomplete, err)
	case err != nil:
		return Credential{}, report(ReasonUnusableCharacters, err)
	}
	var findings []Finding
	if _, err := parseObject(raw); errors.Is(err, ErrDuplicateKey) {
		findings = append(findings, report(ReasonDuplicateKey, err)...)
	}
	if credential.Trimmed() {
		findings = append(findings, report(ReasonTrailingNewline,
			errors.New("the password ends in a line break, which the registry answers with 401: store it without"))...)
	}
	if e.fields.differsFrom(credential) {
		findings = append(findings, report(ReasonConflictingLogin, ErrConflict)...)
	}
	return credential, findings
}

// isSet reports whether a JSON value is there and not an empty string.
func isSet(value json.RawMessage) bool {
	return len(value) > 0 && string(value) != "null" && string(value) != `""`
}

// keyCheck is one reason why a key is of no use. It returns the message, or nothing.
type keyCheck struct {
	reason Reason
	check  func(key string) string
}

// keyChecks are tried in this order; the first that applies is reported.
var keyChecks = []keyCheck{
	{ReasonEmptyKey, emptyKey},
	{ReasonDockerHubKey, unknownHubName},
	{ReasonVersionWithoutSlash, versionWithoutSlash},
	{ReasonMisleadingWildcard, misleadingWildcard},
	{ReasonInvalidPort, impossiblePort},
	{ReasonUnmatchable, unmatchable},
}

// LintKey looks at a docker config key on its own: it reports a form that a kubelet never uses, whatever is under it.
func LintKey(key string) []Finding {
	for _, c := range keyChecks {
		if message := c.check(key); message != "" {
			return []Finding{{Key: key, Reason: c.reason, Message: message}}
		}
	}
	return nil
}

func emptyKey(key string) string {
	if _, err := registry.CanonicalStored(key); errors.Is(err, registry.ErrEmpty) {
		return "the key names no registry: write host[:port][/path]"
	}
	return ""
}

func unknownHubName(key string) string {
	if registry.Host(key) != registry.DockerHub || registry.CanMatch(key) {
		return ""
	}
	if registry.IsHubSession(key) {
		return "docker login keeps a token of its own under it, which no kubelet uses: take the entry out"
	}
	canonical, err := registry.CanonicalStored(key)
	if err != nil {
		canonical = registry.DockerHubKey
	}
	return fmt.Sprintf("a kubelet never uses this key for Docker Hub: write %q", canonical)
}

func versionWithoutSlash(key string) string {
	if !strings.HasSuffix(key, "/v1") && !strings.HasSuffix(key, "/v2") {
		return ""
	}
	canonical, err := registry.CanonicalStored(key)
	if err != nil || canonical != registry.HostKey(canonical) { // what is left is a path, and its end is no version of the API
		return ""
	}
	return fmt.Sprintf("without a slash at the end a kubelet takes the version for a part of the image's path: write %q", canonical)
}

func misleadingWildcard(key string) string {
	host := registry.Host(key)
	_, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://"), "/")
	switch {
	case strings.Contains(host, "**"), registry.HasWildcard(key) && !strings.Contains(host, "."):
		return "a wildcard stands for a part of one host label, never for several: write the labels out, such as *.*.example.com"
	case strings.Contains(path, "*"):
		return "a path has no wildcards, it covers everything that begins with it: leave the wildcard out"
	}
	return ""
}

func impossiblePort(key string) string {
	if _, err := registry.CanonicalStored(key); errors.Is(err, registry.ErrPort) {
		return registry.ErrPort.Error()
	}
	return ""
}

func unmatchable(key string) string {
	if registry.CanMatch(key) {
		return ""
	}
	return registry.ErrUnmatchable.Error()
}

// lintShadowed finds keys for Docker Hub that work alone but not beside the others of the document.
func lintShadowed(keys []string) []Finding {
	const anyHubImage = registry.DockerHub + "/x/x"
	used := registry.MostSpecific(keys, anyHubImage)
	var findings []Finding
	for _, key := range keys {
		if len(used) == 0 || !registry.Matches(key, anyHubImage) || slices.Contains(used, key) {
			continue
		}
		findings = append(findings, Finding{Key: key, Reason: ReasonShadowed,
			Message: fmt.Sprintf("a kubelet uses the entry %q for every image of Docker Hub and never this one: keep one of the two", registry.Shown(used[0]))})
	}
	return findings
}
