package pullsecret

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// Metadata are labels and annotations that RegistryCredentials want on a pull Secret.
type Metadata struct {
	Labels, Annotations map[string]string
}

// kinds of metadata, as the sources annotation names them. The space keeps them apart from everything else there: the admission policy
// looks for `"label KEY":`.
const (
	labelKind      = "label "
	annotationKind = "annotation "
)

// all gives every key with its kind.
func (m Metadata) all() map[string]string {
	all := make(map[string]string, len(m.Labels)+len(m.Annotations))
	for key, value := range m.Labels {
		all[labelKind+key] = value
	}
	for key, value := range m.Annotations {
		all[annotationKind+key] = value
	}
	return all
}

// assign says for which RegistryCredential each label and annotation is written: of several, the older one, which is first, and what is gone
// comes last. No two record the same one: what is recorded twice would be somebody else's by one of the records, and stay as it is for ever.
func (c *composition) assign(ordered []Contribution, current content) {
	c.metadata = map[string]string{}
	assigned := map[string]bool{}
	for _, contribution := range ordered {
		name := contribution.Credential
		if _, provides := c.sources[name]; !provides {
			continue
		}
		if c.left[name] { // suspended, not published, or without room for more: what is there stays
			c.stay(name, current, assigned)
			continue
		}
		written := map[string]string{}
		for key, value := range contribution.Metadata.all() {
			if !assigned[key] {
				c.metadata[key], written[key], assigned[key] = value, printOf(value), true
			}
		}
		c.write(name, written)
	}
	for _, name := range sortedKeys(c.sources) {
		if c.sources[name].Written == nil {
			c.stay(name, current, assigned)
		}
	}
}

// stay leaves the labels and annotations that were written for a credential as they are.
func (c *composition) stay(name string, current content, assigned map[string]bool) {
	written := map[string]string{}
	for key, print := range current.recorded[name].Written {
		if !assigned[key] {
			written[key], assigned[key] = print, true
		}
	}
	c.write(name, written)
}

// write records the labels and annotations that are written for a credential.
func (c *composition) write(name string, written map[string]string) {
	source := c.sources[name]
	source.Written = written
	c.sources[name] = source
}

// writeMetadata makes labels and annotations what they should be. Where somebody else wrote another value, or had the key before, theirs
// stays: nobody is fought with.
func (c *composition) writeMetadata(secret *corev1.Secret, recorded Sources) {
	before, stays := recorded.prints(), map[string]bool{}
	for _, source := range c.sources {
		for key := range source.Written {
			stays[key] = true
		}
	}
	for _, set := range []struct {
		kind string
		keys map[string]string
	}{{labelKind, secret.Labels}, {annotationKind, secret.Annotations}} {
		for name := range before {
			key, is := cutKind(name, set.kind)
			if is && !stays[name] && before[name] == printOf(set.keys[key]) {
				delete(set.keys, key)
			}
		}
		c.writeKind(set.kind, set.keys, before)
	}
}

// writeKind writes the labels or the annotations that are wanted. Before are the prints of what was written last time.
func (c *composition) writeKind(kind string, keys, before map[string]string) {
	for name, value := range c.metadata {
		key, is := cutKind(name, kind)
		present, there := keys[key]
		switch {
		case !is:
		case there && before[name] == "":
			c.disown(name)
		case !there || before[name] == printOf(present):
			keys[key] = value
		}
	}
}

// disown records a label or annotation as one without an owner: it was there before.
func (c *composition) disown(name string) {
	for _, source := range c.sources {
		delete(source.Written, name)
	}
}

// written are the labels and annotations that regcred wrote, with their kind, as the Secret records them.
func (s Sources) written() map[string]bool {
	names := map[string]bool{}
	for _, source := range s {
		for name, print := range source.Written {
			names[name] = names[name] || print != ""
		}
	}
	return names
}

// prints are the labels and annotations that regcred wrote, with their kind, and the print of what it wrote there.
func (s Sources) prints() map[string]string {
	prints := map[string]string{}
	for _, source := range s {
		maps.Copy(prints, source.Written)
	}
	return prints
}

func cutKind(name, kind string) (string, bool) {
	if len(name) <= len(kind) || name[:len(kind)] != kind {
		return "", false
	}
	return name[len(kind):], true
}

// printOf names a value, so that it is known again without being kept twice.
func printOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:8])
}

// metadataSpace is what the labels and annotations of one RegistryCredential take, with their record.
func metadataSpace(m Metadata) int { return spaceForAll(m.all()) }

// spaceForAll is the same for labels and annotations by kind and key.
func spaceForAll(all map[string]string) int {
	encoded, err := json.Marshal(all)
	if err != nil {
		return 0 // strings always encode
	}
	const record = 2 * 8 // of a print, for each
	return 2*len(encoded) + record*len(all)
}
