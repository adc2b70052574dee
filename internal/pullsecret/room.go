package pullsecret

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// room is how many bytes are left in a Secret: for its docker config, and for the sources annotation. Both are estimates from above,
// except for white space.
type room struct {
	data, annotation int
}

// overhead of the document around the entries.
const (
	dataOverhead       = len(`{"auths":{}}`)
	annotationOverhead = len(v1alpha1.SourcesAnnotation) + len(`{"version":1,"sources":{}}`) + len(v1alpha1.AdoptedAnnotation) + len(v1alpha1.AdoptedValue)
	// sourceOverhead is the most that a source takes beside its strings: names of fields, a time, quotes.
	sourceOverhead = len(`"":{"revision":"","digest":"","keys":[],"changed":"2006-01-02T15:04:05Z","since":"2006-01-02T15:04:05Z"},`)
)

// roomIn is the room in a Secret, beside what others keep in it: an annotation that was written for a RegistryCredential takes the room of
// that. A nil Secret is empty.
func roomIn(secret *corev1.Secret, recorded Sources) room {
	left := room{data: corev1.MaxSecretSize - dataOverhead, annotation: maxAnnotation - annotationOverhead}
	if secret == nil {
		return left
	}
	left.data -= len(dockerconfig.Kept(secret.Data[corev1.DockerConfigJsonKey]))
	for key, value := range secret.Data {
		if key != corev1.DockerConfigJsonKey {
			left.data -= len(value)
		}
	}
	ours := recorded.prints()
	for key, value := range secret.Annotations {
		if print := ours[annotationKind+key]; print != "" && print == printOf(value) {
			continue
		}
		if key != v1alpha1.SourcesAnnotation && key != v1alpha1.AdoptedAnnotation && key != corev1.LastAppliedConfigAnnotation {
			left.annotation -= len(key) + len(value)
		}
	}
	return left
}

// spaceFor is what entries of one RegistryCredential take.
func spaceFor(name string, source Source, entries map[string]json.RawMessage) room {
	need := room{annotation: sourceOverhead + quoted(name) + quoted(source.Revision) + quoted(source.Digest)}
	for key, raw := range entries {
		need.data += quoted(key) + len(raw) + 4
		need.annotation += quoted(key) + 1
	}
	return need
}

// quoted is the length of a string in JSON.
func quoted(text string) int {
	if isPlain(text) {
		return len(text) + len(`""`)
	}
	encoded, err := json.Marshal(text)
	if err != nil {
		return 6 * len(text)
	}
	return len(encoded)
}

// isPlain reports whether JSON writes a text as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// reserve reduces the room by what stays in any case.
func (r *room) reserve(need room) {
	r.data, r.annotation = r.data-need.data, r.annotation-need.annotation
}

// release gives room back that was reserved.
func (r *room) release(held room) {
	r.data, r.annotation = r.data+held.data, r.annotation+held.annotation
}

// within reports whether there is so much in a room.
func (r room) within(other room) bool {
	return r.data <= other.data && r.annotation <= other.annotation
}

// take reduces the room by a need, if there is so much.
func (r *room) take(need room) bool {
	if !need.within(*r) {
		return false
	}
	r.reserve(need)
	return true
}
