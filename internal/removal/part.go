package removal

import "slices"

// Part is what one Secret of a namespace is to lose of a RegistryCredential.
type Part struct {
	Namespace, Secret string
	// Keys of the entries that go. Empty where all do.
	Keys []string
}

// Covers reports whether a Secret loses nothing by another part that it does not lose by this one.
func (p Part) Covers(other Part) bool {
	return PartsOf(p).covers(PartsOf(other))
}

// name of the Secret in a Set.
func (p Part) name() string { return p.Namespace + "/" + p.Secret }

// Namespaces are the names of the namespaces of some parts, sorted.
func Namespaces(parts []Part) []string {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
