package pullsecret

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// Contribution is what one RegistryCredential adds to a pull Secret.
type Contribution struct {
	// Credential is the name of the RegistryCredential.
	Credential string
	// Created is when it was created: of two that provide the same registry, the older wins.
	Created time.Time
	// Revision of the published credential.
	Revision string
	// Config holds the entries. A nil Config leaves what is recorded for this credential as it is: nothing is published yet, or
	// the credential is suspended.
	Config dockerconfig.Config
	// Adopt allows taking over a hand-made Secret.
	Adopt bool
}

// Taken says that a RegistryCredential could not provide a registry because an older one does.
type Taken struct {
	Credential string
	Key        string
	Winner     string
}

// composition is the outcome of composing: docker config entries, who provided them, and who could not.
type composition struct {
	entries map[string]json.RawMessage
	sources Sources
	taken   []Taken
}

// compose merges all contributions with what must be kept of the current Secret. current and recorded describe the Secret as
// it is; both are empty where there is none. The outcome does not depend on the order of contributions.
func compose(contributions []Contribution, exists func(string) bool, current map[string]json.RawMessage, recorded Sources, now time.Time) composition {
	c := composition{entries: map[string]json.RawMessage{}, sources: Sources{}}
	owner := map[string]string{}
	contributing := map[string]bool{}
	for _, contribution := range byAge(contributions) {
		contributing[contribution.Credential] = true
		c.add(contribution, current, recorded[contribution.Credential], owner, now)
	}
	c.keepOrphans(contributing, exists, current, recorded, owner)
	return c
}

func (c *composition) add(contribution Contribution, current map[string]json.RawMessage, recorded Source, owner map[string]string, now time.Time) {
	name := contribution.Credential
	entries := contribution.Config.Raw()
	if contribution.Config == nil {
		entries = pick(current, recorded.Keys)
	}
	same := true
	var keys []string
	for _, key := range sortedKeys(entries) {
		if winner, taken := owner[identity(key)]; taken {
			c.taken = append(c.taken, Taken{Credential: name, Key: key, Winner: winner})
			continue
		}
		owner[identity(key)] = name
		c.entries[key] = entries[key]
		keys = append(keys, key)
		same = same && equalJSON(entries[key], current[key])
	}
	if len(keys) == 0 {
		return
	}
	same = same && slices.Equal(keys, recorded.Keys)
	revision := contribution.Revision
	if contribution.Config == nil {
		revision = recorded.Revision
	}
	c.sources[name] = Source{Revision: revision, Keys: keys, Changed: changedAt(recorded, same, now)}
}

// keepOrphans keeps what credentials left that no longer exist, and what was adopted. Entries of a credential that exists and
// contributes nothing are dropped: it was deselected, or is being deleted with deletionPolicy Delete.
func (c *composition) keepOrphans(contributing map[string]bool, exists func(string) bool, current map[string]json.RawMessage, recorded Sources, owner map[string]string) {
	for _, name := range sortedKeys(recorded) {
		if contributing[name] || (name != Adopted && exists(name)) {
			continue
		}
		var keys []string
		for _, key := range recorded[name].Keys {
			raw, there := current[key]
			if _, taken := owner[identity(key)]; taken || !there || !usable(key, raw) {
				continue
			}
			owner[identity(key)] = name
			c.entries[key] = raw
			keys = append(keys, key)
		}
		if len(keys) > 0 {
			kept := recorded[name]
			kept.Keys = keys
			c.sources[name] = kept
		}
	}
}

// identity is the same for all spellings of one registry: `https://r.example/v1/` and `r.example` are the same place, and two
// entries for it would leave it to the kubelet which one is tried first.
func identity(key string) string {
	canonical, err := registry.CanonicalKey(key)
	if err != nil {
		return key
	}
	return canonical
}

// usable reports whether the kubelet can read an entry. One that it cannot read breaks every pull of the pod, so it is never
// written, not even to keep it.
func usable(key string, raw json.RawMessage) bool {
	rendered, err := dockerconfig.RenderRaw(map[string]json.RawMessage{key: raw})
	return err == nil && dockerconfig.WouldBreakPulls(rendered) == nil
}

func byAge(contributions []Contribution) []Contribution {
	sorted := slices.Clone(contributions)
	slices.SortFunc(sorted, func(a, b Contribution) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Credential, b.Credential))
	})
	return sorted
}

func pick(entries map[string]json.RawMessage, keys []string) map[string]json.RawMessage {
	picked := map[string]json.RawMessage{}
	for _, key := range keys {
		if raw, ok := entries[key]; ok && usable(key, raw) {
			picked[key] = raw
		}
	}
	return picked
}

func equalJSON(a, b json.RawMessage) bool {
	var left, right bytes.Buffer
	if json.Compact(&left, a) != nil || json.Compact(&right, b) != nil {
		return false
	}
	return bytes.Equal(left.Bytes(), right.Bytes())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
