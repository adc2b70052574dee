package overview

import (
	"cmp"
	"slices"

	"regcred.dev/regcred/internal/foreign"
)

// Held is one pull Secret that holds a value of a RegistryCredential.
type Held struct{ Namespace, Secret, Revision string }

// Revision is a value of a RegistryCredential, and where pull Secrets hold it. Its JSON form is stable.
type Revision struct {
	Revision string `json:"revision"`
	// InUse says that it is the value in use.
	InUse bool `json:"inUse"`
	// Secrets is how many pull Secrets hold it, First the first of them: a namespace, with the Secret's name where it is another than that of
	// the spec.
	Secrets int      `json:"secrets"`
	First   []string `json:"first"`
}

const (
	// maxRevisions and maxPlaces are how many are told.
	maxRevisions = 10
	maxPlaces    = 20
)

// RevisionsOf says which revision is where: that in use first, and then those that most namespaces have. secretName is that of the spec. The people
// of a namespace can have as many Secrets as they like that look like regcred's: the first of each namespace are told before its others. They can
// have many namespaces, too: more says how many revisions are not told.
func RevisionsOf(held []Held, inUse, secretName string) (told []Revision, more int) {
	firsts, others := placesOf(held, secretName)
	revisions := []Revision{}
	for revision, where := range firsts {
		all := slices.Concat(where, others[revision])
		revisions = append(revisions, Revision{Revision: revision, InUse: revision == inUse, Secrets: len(all), First: all[:min(len(all), maxPlaces)]})
	}
	slices.SortFunc(revisions, func(a, b Revision) int {
		if a.InUse != b.InUse {
			return map[bool]int{true: -1, false: 1}[a.InUse]
		}
		return cmp.Or(cmp.Compare(len(firsts[b.Revision]), len(firsts[a.Revision])), cmp.Compare(a.Revision, b.Revision))
	})
	told = revisions[:min(len(revisions), maxRevisions)]
	return told, len(revisions) - len(told)
}

// placesOf are the places of each revision: the first of each namespace, and its others.
func placesOf(held []Held, secretName string) (firsts, others map[string][]string) {
	firsts, others = map[string][]string{}, map[string][]string{}
	before := map[string]string{} // the namespace of the last place, by revision
	for _, h := range slices.SortedFunc(slices.Values(held), func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Secret, b.Secret))
	}) {
		place, revision := foreign.Name(h.Namespace), foreign.Name(h.Revision)
		if h.Secret != secretName {
			place += "/" + foreign.Name(h.Secret)
		}
		if namespace, seen := before[revision]; seen && namespace == h.Namespace {
			others[revision] = append(others[revision], place)
			continue
		}
		firsts[revision], before[revision] = append(firsts[revision], place), h.Namespace
	}
	return firsts, others
}
