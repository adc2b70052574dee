package main

import (
	"cmp"
	"fmt"
	"slices"

	"regcred.dev/regcred/internal/foreign"
)

// candidates are the different values that Secrets hold, in the order in which they were found.
type candidates struct {
	all []*candidate
	by  map[alike]*candidate
}

// candidate is a value, and how many Secrets have it.
type candidate struct {
	*valueInUse
	secrets int
}

// alike is what makes values the same. It holds what a Secret holds.
type alike struct{ revision, entries string }

func (c *candidates) add(value *valueInUse) {
	if value == nil {
		return
	}
	of := alike{value.revision, string(value.config.Render())}
	if c.by == nil {
		c.by = map[alike]*candidate{}
	}
	if c.by[of] == nil {
		c.by[of] = &candidate{valueInUse: value}
		c.all = append(c.all, c.by[of])
	}
	c.by[of].secrets++
}

// most is the value of a revision that most Secrets have, or else of any revision, nil where there is none. It notes where Secrets of the same
// revision have another.
func (c *candidates) most(revision string) *valueInUse {
	if len(c.all) == 0 {
		return nil
	}
	current := func(one *candidate) int { return map[bool]int{true: 1}[foreign.Name(one.revision) == revision] }
	ranked := slices.SortedStableFunc(slices.Values(c.all), func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(current(b), current(a)), cmp.Compare(b.secrets, a.secrets))
	})
	chosen := ranked[0].valueInUse
	var first *candidate
	secrets := 0
	for _, other := range ranked[1:] {
		if other.contradicts(chosen) {
			first = cmp.Or(first, other)
			secrets += other.secrets
		}
	}
	if first != nil {
		chosen.notes = append(chosen.notes, fmt.Sprintf("There is another value under the same revision in %s, the first in namespace %s: somebody else wrote that, or the value that was asked with. To choose: -n NAMESPACE",
			countOf(secrets, "Secret"), foreign.Name(first.namespace)))
	}
	return chosen
}

// contradicts reports whether two values of one revision have different logins for a registry. One can have fewer registries: those that another
// RegistryCredential serves in its namespace.
func (c *candidate) contradicts(chosen *valueInUse) bool {
	for key, credential := range c.config {
		if other, both := chosen.config[key]; both && c.revision == chosen.revision && (other.Username() != credential.Username() || other.Password() != credential.Password()) {
			return true
		}
	}
	return false
}
