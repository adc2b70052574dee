package pullsecret

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// Adopted is the name under which the sources annotation records entries that a hand-made Secret brought along. No
// RegistryCredential can have it: it is no DNS subdomain.
const Adopted = "(adopted)"

// Source is what the sources annotation records for one RegistryCredential.
type Source struct {
	// Revision of the credential that was written.
	Revision string `json:"revision,omitempty"`
	// Digest of what was written, keys and credentials together, by the record of the published value.
	Digest string `json:"digest,omitempty"`
	// Keys are the docker config keys that were written, sorted.
	Keys []string `json:"keys"`
	// Changed is when the value under these keys last changed in this Secret. It survives restarts of the operator: pod
	// recovery compares the age of a pod with it.
	Changed metav1.Time `json:"changed"`
}

// Sources is the content of the sources annotation, by RegistryCredential.
type Sources map[string]Source

// SourcesOf reads the sources annotation. A Secret without one, or with one that somebody broke, has recorded nothing.
func SourcesOf(annotations map[string]string) Sources {
	sources, _ := recordedIn(annotations)
	return sources
}

// recordedIn reads the sources annotation and reports whether there is one that can be read.
func recordedIn(annotations map[string]string) (Sources, bool) {
	sources := Sources{}
	if err := json.Unmarshal([]byte(annotations[v1alpha1.SourcesAnnotation]), &sources); err != nil || sources == nil {
		return Sources{}, false
	}
	return sources, true
}

// String is the value of the annotation: JSON with sorted keys, the same for equal Sources.
func (s Sources) String() string {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("sources of strings and times always encode: %v", err))
	}
	return string(encoded)
}

// Keys are the docker config keys that anybody recorded, sorted.
func (s Sources) Keys() []string {
	var keys []string
	for _, source := range s {
		keys = append(keys, source.Keys...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Retained are the RegistryCredentials that are recorded and do not exist any more, sorted: what they left stays.
func (s Sources) Retained(exists func(name string) bool) []string {
	var names []string
	for _, name := range sortedKeys(s) {
		if name != Adopted && !exists(name) {
			names = append(names, name)
		}
	}
	return names
}

// changedAt keeps the recorded time where nothing changed. Whole seconds, as the API writes them.
func changedAt(recorded Source, same bool, now time.Time) metav1.Time {
	if same && !recorded.Changed.IsZero() {
		return recorded.Changed
	}
	return metav1.NewTime(now.UTC().Truncate(time.Second))
}
