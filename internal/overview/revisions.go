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

// RevisionsOf says which revision is where: that in use first, and then those of which most Secrets have one. secretName is that of the spec.
func RevisionsOf(held []Held, inUse, secretName string) []Revision {
	places := map[string][]string{}
	for _, h := range held {
		place := foreign.Name(h.Namespace)
		if h.Secret != secretName {
			place += "/" + foreign.Name(h.Secret)
		}
		revision := foreign.Name(h.Revision)
		places[revision] = append(places[revision], place)
	}
	revisions := []Revision{}
	for revision, where := range places {
		slices.Sort(where)
		revisions = append(revisions, Revision{Revision: revision, InUse: revision == inUse, Secrets: len(where), First: where[:min(len(where), maxPlaces)]})
	}
	slices.SortFunc(revisions, func(a, b Revision) int {
		if a.InUse != b.InUse {
			return map[bool]int{true: -1, false: 1}[a.InUse]
		}
		return cmp.Or(cmp.Compare(b.Secrets, a.Secrets), cmp.Compare(a.Revision, b.Revision))
	})
	return revisions[:min(len(revisions), maxRevisions)]
}
