// Package removal decides whether a RegistryCredential may be taken from namespaces at once, or whether that looks so much like a
// mistake that a person has to confirm it. It is pure: what must survive a restart is a State, which the caller keeps before he acts.
package removal

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// Window is how long a loss counts: many small ones within it are one large one.
	Window = time.Hour
	// Few namespaces may lose their entries within the window unconfirmed, and Share of those that held them, 1 in Share.
	Few, Share = 5, 5
	// MostLosses is how many losses a State remembers one by one. Older ones are added to the next.
	MostLosses = 64
)

// State is what must be known of a RegistryCredential's removals after a restart.
type State struct {
	// UID of the RegistryCredential. Another one starts afresh.
	UID types.UID `json:"uid,omitempty"`
	// Serial counts the removals that waited and do not any more: each gives way to another ID.
	Serial int `json:"serial,omitempty"`
	// Losses within the window that nobody confirmed.
	Losses []Loss `json:"losses,omitempty"`
	// Pending is the removal that waits for a person. Nil where none waits.
	Pending *Pending `json:"pending,omitempty"`
	// Granted are the namespaces that may lose their entries now, since GrantTime, for a Window at most.
	Granted   Set       `json:"granted,omitempty"`
	GrantTime time.Time `json:"grantTime,omitzero"`
}

// Loss is which namespaces were let go at one time.
type Loss struct {
	Time       time.Time `json:"time"`
	Namespaces Set       `json:"namespaces"`
}

// Pending is a removal that waits.
type Pending struct {
	// ID is what a person has to name to confirm it.
	ID string `json:"id"`
	// Losing are the namespaces that the ID stands for.
	Losing Set `json:"losing"`
}

// Outdates reports whether a State is to be kept in the place of another one that is kept. It is not where only the granted removal goes on, or
// losses became old: that is found out again.
func (s State) Outdates(kept State) bool {
	return kept.UID != s.UID || kept.Serial != s.Serial || kept.Pending != s.Pending ||
		!kept.Granted.covers(s.Granted) || !s.GrantTime.Equal(kept.GrantTime) ||
		len(kept.Granted) > 0 && len(s.Granted) == 0
}

// After is a State that was read again, by who knows that of the same grant less is left.
func (s State) After(known State) State {
	if s.GrantTime.Equal(known.GrantTime) {
		s.Granted = s.Granted.and(known.Granted)
	}
	return s
}

// Set is a set of names of namespaces, 4 bytes for each: they are many, and the record that keeps them is bounded.
type Set []uint32

// SetOf returns the set of some names.
func SetOf(names ...string) Set {
	s := make(Set, 0, len(names))
	for _, name := range names {
		s = append(s, sum(name))
	}
	slices.Sort(s)
	return slices.Compact(s)
}

func sum(name string) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	return hash.Sum32()
}

// Has reports whether a name is in the set.
func (s Set) Has(name string) bool {
	_, found := slices.BinarySearch(s, sum(name))
	return found
}

// Without returns the set without a name.
func (s Set) Without(name string) Set {
	return slices.DeleteFunc(slices.Clone(s), func(known uint32) bool { return known == sum(name) })
}

// Among returns the names of the set that are among some names.
func (s Set) Among(names ...string) Set { return s.and(SetOf(names...)) }

func (s Set) covers(other Set) bool { return len(other.and(s)) == len(other) }

func (s Set) and(other Set) Set {
	return slices.DeleteFunc(slices.Clone(s), func(known uint32) bool {
		_, found := slices.BinarySearch(other, known)
		return !found
	})
}

func (s Set) not(other Set) Set {
	return slices.DeleteFunc(slices.Clone(s), func(known uint32) bool {
		_, found := slices.BinarySearch(other, known)
		return found
	})
}

func (s Set) or(other Set) Set {
	all := slices.Concat(s, other)
	slices.Sort(all)
	return slices.Compact(all)
}

// bytes are the members, 4 bytes for each.
func (s Set) bytes() []byte {
	packed := make([]byte, 0, 4*len(s))
	for _, known := range s {
		packed = binary.BigEndian.AppendUint32(packed, known)
	}
	return packed
}

var errNoSet = errors.New("it is no set of namespaces")

func setFrom(packed []byte) (Set, error) {
	if len(packed)%4 != 0 {
		return nil, errNoSet
	}
	s := make(Set, 0, len(packed)/4)
	for ; len(packed) > 0; packed = packed[4:] {
		s = append(s, binary.BigEndian.Uint32(packed))
	}
	slices.Sort(s)
	return slices.Compact(s), nil
}
