package removal

import (
	"bytes"
	"cmp"
	"slices"
)

// Parts is what Secrets lose, in groups of those that lose the same. Nearly always all do, so that the entries are kept once.
type Parts []Group

// Group is some Secrets that lose the same entries.
type Group struct {
	Secrets Set `json:"secrets"`
	// Keys of the entries. Empty where all entries of a Secret go.
	Keys Set `json:"keys,omitempty"`
}

// mostGroups bounds what is kept of Secrets that lose different entries. The smallest groups beyond it are one, of which each Secret loses the
// entries of all.
const mostGroups = 16

// PartsOf are the groups of some parts, of which a bounded number is kept.
func PartsOf(parts ...Part) Parts {
	groups := groupsOf(parts)
	for last := len(groups) - 1; last >= mostGroups; last-- {
		one, other := groups[last-1], groups[last]
		groups = append(groups[:last-1], Group{one.Secrets.or(other.Secrets), one.Keys.or(other.Keys)})
	}
	return groups
}

// groupsOf are all groups of some parts: whole Secrets first, then the largest.
func groupsOf(parts []Part) Parts {
	secrets, keys := map[string][]string{}, map[string]Set{}
	for _, p := range parts {
		var own Set // as it is when it is read again
		if len(p.Keys) > 0 {
			own = setOf(p.Keys...)
		}
		same := string(own.bytes())
		secrets[same], keys[same] = append(secrets[same], p.name()), own
	}
	var groups Parts
	for same, own := range keys {
		groups = append(groups, Group{setOf(secrets[same]...), own})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		if a.whole() != b.whole() {
			return cmp.Compare(len(a.Keys), len(b.Keys))
		}
		return cmp.Or(cmp.Compare(len(b.Secrets), len(a.Secrets)), bytes.Compare(a.Keys.bytes(), b.Keys.bytes()))
	})
	return groups
}

// limitedTo is what of these is still to be lost. Groups that became one since have no more than they had.
func (p Parts) limitedTo(losing []Part) Parts {
	now := PartsOf(losing...)
	if p.covers(now) { // as it is nearly always
		return now
	}
	return now.and(p)
}

func (g Group) whole() bool { return len(g.Keys) == 0 }

// serves reports whether the Secrets of a group lose nothing by another one that they do not lose by this one.
func (g Group) serves(other Group) bool {
	return g.whole() == other.whole() && g.Keys.covers(other.Keys)
}

// covers reports whether nothing is lost by other parts that is not lost by these.
func (p Parts) covers(other Parts) bool {
	for _, o := range other {
		left := o.Secrets
		for _, g := range p {
			if g.serves(o) {
				left = left.not(g.Secrets)
			}
		}
		if len(left) > 0 {
			return false
		}
	}
	return true
}

// and is what is lost by both.
func (p Parts) and(other Parts) Parts {
	var both Parts
	for _, g := range p {
		for _, o := range other {
			common := Group{g.Secrets.and(o.Secrets), g.Keys.and(o.Keys)}
			if len(common.Secrets) > 0 && g.whole() == o.whole() && common.whole() == g.whole() {
				both = append(both, common)
			}
		}
	}
	return both
}

// without is what is lost by the other Secrets. It is no copy where that is all: each look at a Secret asks.
func (p Parts) without(secret string) Parts {
	if !slices.ContainsFunc(p, func(g Group) bool { return g.Secrets.has(secret) }) {
		return p
	}
	var left Parts
	for _, g := range p {
		if others := g.Secrets.not(setOf(secret)); len(others) > 0 {
			left = append(left, Group{others, g.Keys})
		}
	}
	return left
}

// count is how many losses they are: it is less where less is lost.
func (p Parts) count() int {
	n := 0
	for _, g := range p {
		n += len(g.Secrets) * max(1, len(g.Keys))
	}
	return n
}

// bytes tell these parts from others.
func (p Parts) bytes() []byte {
	var packed []byte
	for _, g := range p {
		packed = append(append(append(packed, g.Secrets.bytes()...), '\n'), g.Keys.bytes()...)
	}
	return packed
}
