package removal

import "slices"

// Part is what one Secret of a namespace is to lose of a RegistryCredential.
type Part struct {
	Namespace, Secret string
	// Keys of the entries that go. Empty where all do.
	Keys []string
}

func (p Part) whole() bool { return len(p.Keys) == 0 }

// Covers reports whether a Secret loses nothing by another part that it does not lose by this one.
func (p Part) Covers(other Part) bool {
	return p.name() == other.name() && setOf(p.Keys...).covers(setOf(other.Keys...))
}

// name of the part in a Set, without the keys: these are few, and the same in all namespaces, so that a State has them once.
func (p Part) name() string {
	name := p.Namespace + "/" + p.Secret
	if p.whole() {
		return name + " whole"
	}
	return name
}

// PartsOf is the set of some parts.
func PartsOf(parts ...Part) Set {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.name())
	}
	return setOf(names...)
}

func keysOf(parts []Part) Set {
	var keys Set
	for _, p := range parts {
		if own := setOf(p.Keys...); !keys.covers(own) { // as it is for nearly all of them
			keys = keys.or(own)
		}
	}
	return keys
}

// Namespaces are the names of the namespaces of some parts, sorted.
func Namespaces(parts []Part) []string {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
