package delivered

import (
	"cmp"
	"maps"
	"slices"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// tally counts the deliveries of one RegistryCredential under one Secret name. Each change costs the same, save the few bytes that
// move where a sorted list of names grows.
type tally struct {
	// generation of the RegistryCredential for which it is known which namespaces are selected.
	generation int64
	// deliveries by namespace. Those that are equal are one: in most namespaces the same became of a RegistryCredential.
	deliveries map[string]*same
	equal      map[Delivery]*same
	// selected, unknown and unselected count namespaces as a Summary does.
	selected, unknown, unselected int
	right                         map[Served]int
	present, holding              map[Version]int
	causes                        map[Cause]int
	// failing, leaving and found are the names of namespaces, sorted.
	failing, leaving, found names
	findings                map[dockerconfig.Finding]int
}

func newTally() *tally {
	return &tally{
		deliveries: map[string]*same{}, equal: map[Delivery]*same{}, right: map[Served]int{}, present: map[Version]int{}, holding: map[Version]int{}, causes: map[Cause]int{},
		findings: map[dockerconfig.Finding]int{},
	}
}

// same is what became of a RegistryCredential in so many namespaces. Nobody may change what it says.
type same struct {
	Delivery
	namespaces int
}

// at is what became of the RegistryCredential in a namespace, and whether anything is known of that.
func (t *tally) at(namespace string) (Delivery, bool) {
	if known := t.deliveries[namespace]; known != nil {
		return known.Delivery, true
	}
	return Delivery{}, false
}

func (t *tally) put(namespace string, delivery Delivery) {
	t.drop(namespace)
	one := t.equal[delivery]
	if one == nil {
		one = &same{Delivery: delivery}
		t.equal[delivery] = one
	}
	one.namespaces++
	t.deliveries[namespace] = one
	t.count(namespace, delivery, 1)
}

func (t *tally) drop(namespace string) {
	before := t.deliveries[namespace]
	if before == nil {
		return
	}
	t.count(namespace, before.Delivery, -1)
	delete(t.deliveries, namespace)
	if before.namespaces--; before.namespaces == 0 {
		delete(t.equal, before.Delivery)
	}
}

// count adds one delivery to all that it counts for, or takes it away.
func (t *tally) count(namespace string, d Delivery, by int) {
	if d.Revision != "" || d.Digest != "" {
		add(t.holding, d.Version, by)
	}
	if !d.Selected {
		t.countOther(namespace, d, by)
		return
	}
	t.selected += by
	switch cause := causeOf(d); {
	case d.Observed == 0:
		t.unknown += by
	case cause != Cause{}:
		add(t.causes, cause, by)
		if !cause.passing() {
			t.failing.set(namespace, by > 0)
		}
	default:
		add(t.right, Served{d.Version, d.Generation}, by)
	}
	if d.hasSecret() {
		add(t.present, d.Version, by)
	}
	if (d.Finding != dockerconfig.Finding{}) {
		add(t.findings, d.Finding, by)
		t.found.set(namespace, by > 0)
	}
}

// countOther counts a namespace that is not selected.
func (t *tally) countOther(namespace string, d Delivery, by int) {
	if d.Reason == v1alpha1.ReasonNamespaceTerminating {
		t.leaving.set(namespace, by > 0)
		return
	}
	t.unselected += by
}

func (t *tally) summary() Summary {
	s := Summary{
		Generation: t.generation, Selected: t.selected, Unknown: t.unknown, Unselected: t.unselected,
		Right: clone(t.right), Present: clone(t.present), Holding: clone(t.holding), Causes: clone(t.causes), WithFindings: len(t.found),
	}
	for _, namespace := range t.failing.first(Named) {
		s.Failures = append(s.Failures, Failure{namespace, t.deliveries[namespace].Delivery})
	}
	for _, namespace := range t.leaving.first(Named) {
		s.Leaving = append(s.Leaving, Failure{namespace, t.deliveries[namespace].Delivery})
	}
	for _, namespace := range t.found.first(Named) {
		finding := t.deliveries[namespace].Finding
		if !slices.ContainsFunc(s.Findings, func(f Found) bool { return f.Finding == finding }) {
			s.Findings = append(s.Findings, Found{finding, namespace, t.findings[finding]})
		}
	}
	return s
}

func causeOf(d Delivery) Cause {
	if d.TakenBy != "" {
		return Cause{Reason: v1alpha1.ReasonRegistryTaken}
	}
	return Cause{d.Reason, d.ServiceAccounts && d.Reason != ""}
}

func add[K comparable](counts map[K]int, key K, by int) {
	if counts[key] += by; counts[key] == 0 {
		delete(counts, key)
	}
}

// most is how many kinds a summary tells apart. A value is in few versions at a time; more are there only where namespaces' people
// wrote their own into the annotation.
const most = 32

// clone copies the counts, of more than most kinds the greatest.
func clone[K comparable](counts map[K]int) map[K]int {
	if len(counts) <= most {
		return maps.Clone(counts)
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b K) int { return cmp.Compare(counts[b], counts[a]) })
	copied := make(map[K]int, most)
	for _, key := range kinds[:most] {
		copied[key] = counts[key]
	}
	return copied
}

// names is a sorted set of names.
type names []string

func (n *names) set(name string, in bool) {
	at, there := slices.BinarySearch(*n, name)
	switch {
	case in && !there:
		*n = slices.Insert(*n, at, name)
	case !in && there:
		*n = slices.Delete(*n, at, at+1)
	}
}

func (n names) first(count int) []string { return n[:min(len(n), count)] }
