package pullsecret

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/memo"
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
	// Since is from when on this Secret has had an entry of the RegistryCredential while its namespace was selected, and did not opt out: no
	// rotation moves it. Zero in records of earlier versions until the value changes. Readers want [Source.Added].
	Since metav1.Time `json:"since,omitzero"`
	// Written are the labels and annotations that were written for it, as "label KEY" and "annotation KEY", each with a print of its
	// value: what somebody else changed since is not taken for regcred's.
	Written map[string]string `json:"written,omitempty"`
}

// Added is from when on this Secret has had an entry of the RegistryCredential while its namespace was selected, as far as that is recorded.
func (s Source) Added() time.Time {
	if s.Since.IsZero() {
		return s.Changed.Time
	}
	return s.Since.Time
}

// Sources is the content of the sources annotation, by RegistryCredential.
type Sources map[string]Source

// Bounds of what is read from a Secret that a namespace's people can write.
const (
	// MaxEntries is how many docker config entries, and recorded keys, a Secret may have.
	MaxEntries = 10000
	// maxAnnotation is the most bytes of all annotations of an object, by the API server.
	maxAnnotation = 256 << 10
	// sourcesVersion of the annotation. Readers must refuse a greater one.
	sourcesVersion = 1
)

// document is the sources annotation. Tenants may read it: fields are added, never renamed, as long as Version is 1.
type document struct {
	Version int     `json:"version"`
	Sources Sources `json:"sources"`
}

// SourcesOf reads the sources annotation. A Secret without one, or with one that somebody broke, has recorded nothing. What it gives is
// shared with all that record the same: nobody may change it.
func SourcesOf(annotations map[string]string) Sources {
	sources, _ := recordedIn(annotations)
	return sources
}

// recordedIn reads the sources annotation and reports whether there is one that can be read. One that is too large, or that a
// later version wrote, cannot.
func recordedIn(annotations map[string]string) (Sources, bool) {
	text := annotations[v1alpha1.SourcesAnnotation]
	if text == "" || len(text) > maxAnnotation {
		return Sources{}, false
	}
	if len(text) > longestRemembered {
		return parseRecord(text)
	}
	read := records.Get(text, func() record {
		sources, known := parseRecord(text)
		return record{sources, known}
	})
	return read.sources, read.known
}

// record is what recordedIn gives.
type record struct {
	sources Sources
	known   bool
}

// records remembers what annotations say: in a rotation thousands of Secrets record the same, and each is asked several times. Longer
// ones than longestRemembered, in bytes, are read each time.
var records = memo.New(bytesRemembered, weightOfRecord)

// bytesRemembered is how much is remembered, in bytes: a namespace's people write annotations of which each byte makes fifty. inMap is what
// a member of a map takes beside its text, inSource a source, and inKey a key.
const bytesRemembered, longestRemembered, inMap, inSource, inKey = 2 << 20, 16 << 10, 64, 256, 24

func weightOfRecord(text string, read record) int {
	weight := inSource + len(text)
	for name, source := range read.sources {
		weight += inSource + len(name) + len(source.Revision) + len(source.Digest)
		for _, key := range source.Keys {
			weight += inKey + len(key)
		}
		if source.Written != nil {
			weight += inSource
		}
		for name, value := range source.Written {
			weight += inMap + len(name) + len(value)
		}
	}
	return weight
}

// parseRecord reads an annotation that is not remembered.
func parseRecord(text string) (Sources, bool) {
	// In the form of earlier versions the sources are the whole document. A credential of the name "version" cannot be mistaken:
	// its value is no number.
	var read document
	if json.Unmarshal([]byte(text), &read) != nil || read.Version == 0 {
		read = document{Version: sourcesVersion}
		if json.Unmarshal([]byte(text), &read.Sources) != nil {
			return Sources{}, false
		}
	}
	if read.Version != sourcesVersion || read.Sources == nil || !read.Sources.bounded() {
		return Sources{}, false
	}
	return read.Sources, true
}

func (s Sources) bounded() bool {
	keys := 0
	for _, source := range s {
		keys += len(source.Keys)
	}
	return keys <= MaxEntries && len(s) <= MaxEntries
}

// String is the value of the annotation: JSON with sorted keys, the same for equal Sources.
func (s Sources) String() string {
	encoded, err := json.Marshal(document{Version: sourcesVersion, Sources: s})
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

// addedAt keeps the recorded time. A record of an earlier version has none, and gets the oldest that it tells of once it is written in any case;
// then a time that lies ahead, noted by a clock that was wrong, becomes now. selected is false where nothing is recorded of a time in which the
// namespace was selected all along.
func addedAt(recorded Source, selected, same bool, now time.Time) metav1.Time {
	switch {
	case !selected, recorded.Since.After(now) && !same:
		return metav1.NewTime(now.UTC().Truncate(time.Second))
	case recorded.Since.IsZero() && !same:
		return recorded.Changed
	}
	return recorded.Since
}
