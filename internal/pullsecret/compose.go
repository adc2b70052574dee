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
	// Metadata are the labels and annotations that it wants on the Secret.
	Metadata Metadata
	// Keep are recorded keys that stay as they are though Config lacks them, unless somebody provides them: their removal waits, or
	// another credential is to provide them and is not published with them yet.
	Keep []string
	// Staying says that it does not select the namespace, and that its entries stay for now: the Secret alone tells that it had any.
	Staying bool
	// Returned says that pods of the namespace get the Secret's name again, after its entries stayed for a while though they did not.
	Returned bool
	// Unsure says that a write of the entries was not answered, and took so long that what is recorded may be earlier than it: they are dated again.
	Unsure bool
	// Adopt allows taking over a hand-made Secret.
	Adopt bool
	// Unproven says that no registry accepted what is published, or that one refuses it, and that one is asked. A hand-made Secret may hold the only
	// password that works, so it is not taken over then.
	Unproven bool
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
	// kept is true where an entry is in no published credential that selects the namespace: once the Secret is gone, nobody would put it there again.
	kept bool
	// lost is true where an entry should be kept and the Secret cannot be read.
	lost bool
	// dropped is true where a credential is recorded whose entries go.
	dropped bool
	// refused are the credentials for whose entries there is no room.
	refused []string
	// left are the credentials of which what is recorded is left as it is, and ousted is true where there is no room even for that.
	left   map[string]bool
	ousted bool
	// changed are the credentials whose entries are not as they were.
	changed []string
	// owner is the RegistryCredential that provides a registry, by its identity.
	owner map[string]string
	// metadata are the labels and annotations to write, by kind and key.
	metadata map[string]string
	room     room
	now      time.Time
}

// composed merges all contributions with what must be kept of the current content. The outcome does not depend on the order of
// contributions of one age. Holding, it gives an older one no room that a younger one needs for what is delivered.
func composed(ordered []Contribution, exists func(string) bool, current content, left room, now time.Time, holding bool) composition {
	c := composition{entries: map[string]json.RawMessage{}, sources: Sources{}, owner: map[string]string{}, left: map[string]bool{}, room: left, now: now}
	contributing := map[string]bool{}
	for _, contribution := range ordered {
		contributing[contribution.Credential] = true
	}
	names := sortedKeys(current.recorded)
	stays := func(name string) bool { return !contributing[name] && (name == Adopted || !exists(name)) }
	for _, name := range names {
		if stays(name) {
			c.room.reserve(current.spaceOf(name, current.pick(current.recorded[name].Keys)))
		}
	}
	var held map[string]room
	if holding {
		held = c.hold(ordered, current)
	}
	for _, contribution := range ordered {
		c.room.release(held[contribution.Credential])
		c.add(contribution, current)
	}
	for _, contribution := range ordered {
		c.record(contribution, current)
	}
	others := slices.DeleteFunc(names, func(name string) bool { return contributing[name] })
	c.keepOrDrop(others, stays, current)
	c.assign(ordered, current)
	return c
}

// keepOrDrop keeps what stays of those who contribute nothing. Entries of a credential that exists are dropped: it was deselected, or is being
// deleted with deletionPolicy Delete. What nobody recorded is dropped, too.
func (c *composition) keepOrDrop(names []string, stays func(string) bool, current content) {
	for _, name := range names {
		if !stays(name) {
			c.dropped = true
			continue
		}
		c.keep(name, current)
	}
}

// add gives a RegistryCredential the registries that no older one provides.
func (c *composition) add(contribution Contribution, current content) {
	name, recorded := contribution.Credential, current.recorded[contribution.Credential]
	if contribution.Config == nil {
		c.lost = c.lost || current.broken && len(recorded.Keys) > 0
		c.leave(name, recorded, current)
		return
	}
	entries := c.untaken(name, contribution.Config.Raw())
	if !c.room.take(contribution.needs(entries, current)) {
		c.refused = append(c.refused, name)
		c.leave(name, recorded, current)
		return
	}
	c.kept = c.kept || contribution.Staying && len(entries) > 0
	c.sources[name] = Source{Revision: contribution.Revision, Digest: contribution.Digest}
	c.provide(name, entries)
}

// leave leaves what is recorded for a RegistryCredential as it is.
func (c *composition) leave(name string, recorded Source, current content) {
	entries := c.untaken(name, current.pick(recorded.Keys))
	if len(entries) == 0 {
		return
	}
	if !c.room.take(current.spaceOf(name, entries)) {
		c.ousted = true
		return
	}
	c.kept, c.left[name] = true, true
	c.sources[name] = Source{Revision: recorded.Revision, Digest: recorded.Digest}
	c.provide(name, entries)
}

// untaken are the entries for registries that nobody provides yet. It notes the others.
func (c *composition) untaken(name string, entries map[string]json.RawMessage) map[string]json.RawMessage {
	left, chosen := map[string]json.RawMessage{}, map[string]bool{}
	for _, key := range sortedKeys(entries) {
		if winner, taken := c.owner[identity(key)]; taken {
			c.taken = append(c.taken, Taken{Credential: name, Key: key, Winner: winner})
		} else if !chosen[identity(key)] {
			left[key], chosen[identity(key)] = entries[key], true
		}
	}
	return left
}

func (c *composition) provide(name string, entries map[string]json.RawMessage) {
	for key, raw := range entries {
		c.owner[identity(key)] = name
		c.entries[key] = raw
		source := c.sources[name]
		source.Keys = append(source.Keys, key)
		c.sources[name] = source
	}
}

// record adds what a RegistryCredential leaves for now and nobody provides, and notes what it has in the Secret, since when.
func (c *composition) record(contribution Contribution, current content) {
	name := contribution.Credential
	recorded, known := current.recorded[name]
	source, accepted := c.sources[name]
	if accepted {
		kept := current.pick(contribution.Keep)
		for _, key := range sortedKeys(kept) {
			if _, taken := c.owner[identity(key)]; !taken && slices.Contains(recorded.Keys, key) {
				c.provide(name, map[string]json.RawMessage{key: kept[key]})
				c.kept = true
			}
		}
		source = c.sources[name]
	}
	if len(source.Keys) == 0 {
		delete(c.sources, name)
		return
	}
	slices.Sort(source.Keys)
	same := slices.Equal(source.Keys, recorded.Keys) && !contribution.doubted()
	for _, key := range source.Keys {
		same = same && equalJSON(c.entries[key], current.entries[key])
	}
	if !same || recorded.Changed.IsZero() {
		c.changed = append(c.changed, name)
	}
	source.Changed, source.Since = changedAt(recorded, same, c.now), addedAt(recorded, known && !contribution.Returned, same, c.now)
	c.sources[name] = source
}

// doubted says that nobody knows since when what it provides is in the Secret.
func (c Contribution) doubted() bool {
	return c.Unsure && c.Config != nil
}

// keep leaves what a credential left that no longer exists, or what was adopted, save registries that somebody provides now.
func (c *composition) keep(name string, current content) {
	kept := current.recorded[name]
	c.lost = c.lost || current.broken && len(kept.Keys) > 0
	usable := current.pick(kept.Keys)
	kept.Keys, kept.Written = nil, nil
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

// identity is the same for all spellings of one registry: `https://r.example/v1/`, `https://user:password@r.example` and `r.example` are the same place, and two
// entries for it would leave it to the kubelet which one is tried first.
func identity(key string) string {
	canonical, err := registry.CanonicalStored(key)
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
