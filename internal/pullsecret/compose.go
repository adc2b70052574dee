package pullsecret

import (
	"cmp"
	"encoding/json"
	"maps"
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
	// Revision of the published credential, and Digest of its entries.
	Revision, Digest string
	// Config holds the entries. A nil Config leaves what is recorded for this credential as it is: nothing is published yet, the
	// credential is suspended, or its removal waits.
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
	// kept is true where an entry is in no published credential: the Secret is the only place that has it.
	kept bool
	// lost is true where an entry should be kept and the Secret cannot be read.
	lost bool
	// dropped is true where a credential is recorded whose entries go.
	dropped bool
	// owner is the RegistryCredential that provides a registry, by its identity.
	owner map[string]string
}

// compose merges all contributions with what must be kept of the current content. The outcome does not depend on the order of
// contributions.
func compose(contributions []Contribution, exists func(string) bool, current content, now time.Time) composition {
	c := composition{entries: map[string]json.RawMessage{}, sources: Sources{}, owner: map[string]string{}}
	contributing := map[string]bool{}
	for _, contribution := range byAge(contributions) {
		contributing[contribution.Credential] = true
		c.add(contribution, current, now)
	}
	// Entries of a credential that exists and contributes nothing are dropped: it was deselected, or is being deleted with
	// deletionPolicy Delete. What nobody recorded is dropped, too.
	for _, name := range sortedKeys(current.recorded) {
		switch {
		case contributing[name]:
		case name == Adopted || !exists(name):
			c.keep(name, current)
		default:
			c.dropped = true
		}
	}
	return c
}

func (c *composition) add(contribution Contribution, current content, now time.Time) {
	name, recorded := contribution.Credential, current.recorded[contribution.Credential]
	entries, revision, digest := contribution.Config.Raw(), contribution.Revision, contribution.Digest
	if contribution.Config == nil {
		entries, revision, digest = current.pick(recorded.Keys), recorded.Revision, recorded.Digest
		c.kept = c.kept || len(entries) > 0
		c.lost = c.lost || current.broken && len(recorded.Keys) > 0
	}
	same := true
	var keys []string
	for _, key := range sortedKeys(entries) {
		if winner, taken := c.owner[identity(key)]; taken {
			if winner != name {
				c.taken = append(c.taken, Taken{Credential: name, Key: key, Winner: winner})
			}
			continue
		}
		c.owner[identity(key)] = name
		c.entries[key] = entries[key]
		keys = append(keys, key)
		same = same && equalJSON(entries[key], current.entries[key])
	}
	if len(keys) > 0 {
		same = same && slices.Equal(keys, recorded.Keys)
		c.sources[name] = Source{Revision: revision, Digest: digest, Keys: keys, Changed: changedAt(recorded, same, now)}
	}
}

// keep leaves what a credential left that no longer exists, or what was adopted, save registries that somebody provides now.
func (c *composition) keep(name string, current content) {
	kept := current.recorded[name]
	c.lost = c.lost || current.broken && len(kept.Keys) > 0
	usable := current.pick(kept.Keys)
	kept.Keys = nil
	for _, key := range sortedKeys(usable) {
		_, taken := c.owner[identity(key)]
		if _, twice := c.entries[key]; taken || twice {
			continue
		}
		c.entries[key] = usable[key]
		kept.Keys = append(kept.Keys, key)
	}
	if len(kept.Keys) > 0 {
		c.sources[name] = kept
		c.kept = true
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

func byAge(contributions []Contribution) []Contribution {
	return slices.SortedFunc(slices.Values(contributions), func(a, b Contribution) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Credential, b.Credential))
	})
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
