package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/registry"
)

// stored is a docker config in the source.
type stored struct {
	name    string // for messages: the key, or "the secret"
	entries map[string]json.RawMessage
	// keys of the entries, sorted, and the canonical key of each that has one.
	keys      []string
	canonical map[string]string
	// delegation is nil, or what the config names that holds passwords elsewhere.
	delegation error
}

// mostEntries is how many entries a docker config in a source may have: each is compared with each registry of the spec. People's have
// a few dozen.
const mostEntries = 1000

// newStored looks at each key once.
func newStored(name string, text []byte, entries map[string]json.RawMessage) *stored {
	s := &stored{
		name: name, entries: entries, delegation: dockerconfig.Delegation(text), keys: sortedKeys(entries), canonical: map[string]string{},
	}
	for _, key := range s.keys {
		if canonical, err := registry.CanonicalStored(key); err == nil {
			s.canonical[key] = canonical
		}
	}
	return s
}

// fromDocument takes the registries of the spec out of a docker config. Only what is used can be at fault.
func (r *rendering) fromDocument(name string, value any, wanted map[string]string) (dockerconfig.Config, *Error) {
	text, is := dockerConfigIn(value)
	if !is {
		return nil, r.notDocument(name, value)
	}
	entries, err := dockerconfig.ParseRaw(text)
	if err != nil {
		fault := malformed("%s: %v", name, err)
		fault.Cause = err
		return nil, fault
	}
	if len(entries) > mostEntries {
		return nil, malformed("%s holds a docker config with %d entries, and %d is the most: keep those of the spec's registries only", name, len(entries), mostEntries)
	}
	s := newStored(name, text, entries)
	config := make(dockerconfig.Config, len(wanted))
	var missing []string
	for _, canonical := range sortedKeys(wanted) {
		key, credential, fault := s.entryFor(canonical)
		if fault != nil {
			return nil, fault
		}
		if key == "" {
			missing = append(missing, wanted[canonical])
			continue
		}
		config[canonical] = fitGoogleKey(credential)
		r.noteEntry(s, key, canonical, credential)
	}
	if len(missing) > 0 {
		return nil, s.missing(missing)
	}
	return config, nil
}

func (r *rendering) noteEntry(s *stored, key, canonical string, credential dockerconfig.Credential) {
	if s.canonical[key] == canonical {
		r.noteKey(r.Where+", "+s.name, key, canonical)
	}
	if credential.Trimmed() {
		r.noteTrimmed("the entry " + quotedKey(key))
	}
}

// entryFor is the entry that a kubelet would use for every image of a registry: of several, those with the longer path first, and a
// literal host before one with a wildcard (registry.MostSpecific). A spelling of the registry that only people understand counts
// after them. An entry without a password does not count where another has one. The key is empty where there is none.
func (s *stored) entryFor(canonical string) (string, dockerconfig.Credential, *Error) {
	var without *Error
	for _, key := range s.candidates(canonical) {
		credential, err := parseEntry(key, s.entries[key])
		switch {
		case errors.Is(err, dockerconfig.ErrIncomplete), errors.Is(err, dockerconfig.ErrTokenOnly):
			if without == nil {
				without = s.fault(key, err)
			}
			continue
		case err != nil:
			return "", dockerconfig.Credential{}, s.fault(key, err)
		}
		if other := s.twin(key, credential); other != "" {
			return "", dockerconfig.Credential{}, malformed("%s has two different entries for one registry, %s and %s: leave one", s.name, quotedKey(key), quotedKey(other))
		}
		return key, credential, nil
	}
	return "", dockerconfig.Credential{}, without
}

func (s *stored) fault(key string, err error) *Error {
	if errors.Is(err, dockerconfig.ErrIncomplete) && s.delegation != nil {
		err = s.delegation
	}
	advice := ""
	if errors.Is(err, dockerconfig.ErrMalformedAuth) {
		advice = ": leave it out, and store username and password there"
		entry, _ := decodeObject(s.entries[key])
		if reason, says := oddity(textAt(entry, "auth")); reason == dockerconfig.ReasonPlaceholder {
			advice = ": it " + says
		}
	}
	fault := malformed("%s, entry %s: %v%s", s.name, quotedKey(key), err, advice)
	fault.Cause = err
	return fault
}

// candidates are the keys that open the whole registry, in the order in which a kubelet tries them.
func (s *stored) candidates(canonical string) []string {
	keys := registry.MostSpecific(s.keys, anyImageOf(canonical))
	for _, key := range s.keys {
		if s.canonical[key] == canonical && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// anyImageOf is an image of a registry that nobody has, so that what matches it matches all.
func anyImageOf(canonical string) string {
	if canonical == registry.DockerHubKey {
		canonical = registry.DockerHub
	}
	const nobody = "regcred-any"
	return strings.ReplaceAll(strings.TrimSuffix(canonical, "/"), "*", nobody) + "/" + nobody + "/" + nobody
}

// twin is another key that means the same to a kubelet and has another credential, if there is one.
func (s *stored) twin(key string, credential dockerconfig.Credential) string {
	canonical := s.canonical[key]
	if canonical == "" {
		return ""
	}
	for _, other := range s.keys {
		if s.canonical[other] != canonical {
			continue
		}
		second, err := parseEntry(other, s.entries[other])
		if err == nil && !second.Equal(credential) {
			return other
		}
	}
	return ""
}

// quotedKey shows a docker config key that others wrote.
func quotedKey(key string) string { return quoted(registry.Shown(key)) }

// quoted shows a name that others wrote.
func quoted(name string) string { return fmt.Sprintf("%q", shownName(name)) }

func shownName(name string) string {
	const longest = 100 // so that two fit into a message
	return foreign.Text(name, longest)
}

func sortedKeys[M ~map[string]V, V any](m M) []string { return slices.Sorted(maps.Keys(m)) }
