package bench

import (
	"testing"
	"time"
)

// TestARotationCostsOneRequestForANamespace fails on counts and never on times, so that a busy machine does not matter.
func TestARotationCostsOneRequestForANamespace(t *testing.T) {
	const few, many = 60, 240
	f := startFleet(t, buildOperator(t), size{namespaces: few, credentials: 1})
	small := f.count(t)
	f.grow(t, many-len(f.namespaces))
	large := f.count(t)
	// What a rotation costs beside its namespaces: reads of the source, the record, statuses, and a look at policies, which is 23 dry runs.
	const beside = 40
	for _, one := range []counts{small, large} {
		if limit := one.namespaces*101/100 + beside; one.rotation.all() > limit {
			t.Errorf("a rotation over %d namespaces makes %d requests (%s), want %d at most", one.namespaces, one.rotation.all(), one.rotation.methods(), limit)
		}
		if one.rotation.vaultReads != 1 {
			t.Errorf("a rotation over %d namespaces reads Vault %d times", one.namespaces, one.rotation.vaultReads)
		}
		if one.rest.writes() > 0 {
			t.Errorf("with %d namespaces, where nothing happens, there are writes: %s", one.namespaces, one.rest.methods())
		}
		if one.restarted.changes > 0 {
			t.Errorf("a restart with %d namespaces writes %d Secrets, though all were right", one.namespaces, one.restarted.changes)
		}
	}
	perNamespace := func(c counts) int { return c.rotation.allocations / c.namespaces }
	t.Logf("measured: %d allocations for a namespace of %d, and %d for one of %d", perNamespace(small), few, perNamespace(large), many)
	if perNamespace(large)*10 > perNamespace(small)*11 {
		t.Errorf("a namespace costs %d allocations in a rotation over %d, and %d over %d", perNamespace(small), few, perNamespace(large), many)
	}
	if most := 2500; perNamespace(large) > most {
		t.Errorf("a namespace costs %d allocations in a rotation, want %d at most", perNamespace(large), most)
	}
}

type counts struct {
	namespaces     int
	rotation, rest usage
	restarted      restarted
}

// count does what is counted: a rotation, a time in which nothing happens, a restart.
func (f *fleet) count(t *testing.T) (c counts) {
	t.Helper()
	c.namespaces = len(f.namespaces)
	c.rotation = f.rotate(t, 0).usage
	c.rest = f.rest(t, 3*time.Second)
	c.restarted = f.restart(t)
	return c
}
