package removal

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"
)

// Set is a set of names, 4 bytes for each: they are many, and the record that keeps them is bounded.
type Set []uint32

// setOf returns the set of some names.
func setOf(names ...string) Set {
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

func (s Set) has(name string) bool {
	_, found := slices.BinarySearch(s, sum(name))
	return found
}

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

var errNoSet = errors.New("it is no set of names")

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
