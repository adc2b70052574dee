package adoption

import (
	"cmp"
	"slices"
	"strings"

	"regcred.dev/regcred/internal/foreign"
)

// Dispute is a RegistryCredential of which Secrets have different passwords under the revision in use: regcred writes one, so somebody else
// wrote the others, or all of them.
type Dispute struct {
	RegistryCredential string
	// Values are those of its Secrets, by their letters.
	Values []Disputed
}

// Disputed is one of the values.
type Disputed struct {
	// Value is its letter, see [Found.Value].
	Value string
	// Secrets is how many have it, First the namespace of the first of them.
	Secrets int
	First   string
}

// dispute is one as it was found: letters are given when all is.
type dispute struct {
	credential string
	writers    []*Found
}

// Disputes are those that were found, by the name of the RegistryCredential.
func (f *Finder) Disputes() []Dispute {
	f.letter()
	var disputes []Dispute
	for _, one := range f.disputes {
		disputes = append(disputes, Dispute{foreign.Name(one.credential), valuesOf(one.writers)})
	}
	slices.SortFunc(disputes, func(a, b Dispute) int { return strings.Compare(a.RegistryCredential, b.RegistryCredential) })
	return disputes
}

func valuesOf(writers []*Found) []Disputed {
	by := map[string]*Disputed{}
	for _, found := range writers {
		one := by[found.Value]
		if one == nil {
			one = &Disputed{Value: found.Value, First: found.Namespace}
			by[found.Value] = one
		}
		one.Secrets++
		one.First = min(one.First, found.Namespace)
	}
	var values []Disputed
	for _, one := range by {
		one.First = foreign.Name(one.First)
		values = append(values, *one)
	}
	slices.SortFunc(values, func(a, b Disputed) int {
		return cmp.Or(cmp.Compare(b.Secrets, a.Secrets), strings.Compare(a.First, b.First))
	})
	return values
}
