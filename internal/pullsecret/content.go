package pullsecret

import (
	"bytes"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/dockerconfig"
)

// content is what a Secret holds as regcred sees it.
type content struct {
	entries  map[string]json.RawMessage
	recorded Sources
	// metadata are all labels and annotations of the Secret, by kind and key.
	metadata map[string]string
	// broken is true where there is something that is no docker config: nobody can use it, and nothing of it can be kept.
	broken bool
}

// contentOf reads entries and records of a Secret. Where nothing is recorded, in a Secret that is taken over or whose record
// was lost, all that is there counts as adopted: nobody knows that it may go.
func contentOf(secret *corev1.Secret) content {
	if secret == nil {
		return content{recorded: Sources{}}
	}
	entries, err := dockerconfig.ParseRaw(secret.Data[corev1.DockerConfigJsonKey])
	c := content{entries: entries, broken: err != nil, metadata: Metadata{Labels: secret.Labels, Annotations: secret.Annotations}.all()}
	recorded, known := recordedIn(secret.Annotations)
	if OwnerOf(secret).Ours && known {
		c.recorded = recorded
		return c
	}
	c.recorded = Sources{Adopted: {Keys: sortedKeys(entries), Changed: secret.CreationTimestamp}}
	return c
}

// pick gives what is there under some keys and can be used.
func (c content) pick(keys []string) map[string]json.RawMessage {
	picked := map[string]json.RawMessage{}
	for _, key := range keys {
		if raw, ok := c.entries[key]; ok && usable(key, raw) {
			picked[key] = raw
		}
	}
	return picked
}

// spaceOf is what entries of a RegistryCredential take that stay as they are recorded, with the labels and annotations that stay with them.
func (c content) spaceOf(name string, entries map[string]json.RawMessage) room {
	recorded := c.recorded[name]
	space := spaceFor(name, recorded, entries)
	written := map[string]string{}
	for key, print := range recorded.Written {
		if written[key] = ""; printOf(c.metadata[key]) == print { // another value is somebody else's, and counts as such
			written[key] = c.metadata[key]
		}
	}
	space.annotation += spaceForAll(written)
	return space
}

// usable reports whether the kubelet can read an entry. One that it cannot read breaks every pull of the pod, so it is never
// written, not even to keep it.
func usable(key string, raw json.RawMessage) bool {
	rendered, err := dockerconfig.RenderRaw(map[string]json.RawMessage{key: raw})
	return err == nil && dockerconfig.WouldBreakPulls(rendered) == nil
}

func equalJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return json.Valid(a)
	}
	var left, right bytes.Buffer
	if json.Compact(&left, a) != nil || json.Compact(&right, b) != nil {
		return false
	}
	return bytes.Equal(left.Bytes(), right.Bytes())
}
