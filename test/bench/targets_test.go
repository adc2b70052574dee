package bench

import (
	"fmt"
	"slices"
	"time"
)

// target is what the operator is meant to keep to. Ratios count, and counts; times say what they say of one machine.
type target struct {
	what, want string
	// is what was measured, and whether that is within bounds. "-" where the sizes that were measured do not tell.
	is func(results []result) (measured string, met bool)
}

// plain gives those that differ by the number of namespaces alone.
func plain(results []result) []result {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return !r.Size.plain() })
}

// worst judges by the result with the greatest of some numbers.
func worst(number func(result) float64, most float64, format string) func([]result) (string, bool) {
	return func(results []result) (string, bool) {
		results = plain(results)
		if len(results) == 0 {
			return "-", false
		}
		greatest := number(slices.MaxFunc(results, func(a, b result) int { return compare(number(a), number(b)) }))
		return fmt.Sprintf(format, greatest), greatest <= most
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// at judges by the result of this size.
func at(which string, judge func(result) (string, bool)) func([]result) (string, bool) {
	return func(results []result) (string, bool) {
		for _, r := range results {
			if r.Size.String() == which {
				return judge(r)
			}
		}
		return "-", false
	}
}

// from judges by the results with so many namespaces or more.
func from(namespaces int, judge func([]result) (string, bool)) func([]result) (string, bool) {
	return func(results []result) (string, bool) {
		large := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.Size.namespaces < namespaces })
		if len(large) == 0 {
			return "-", false
		}
		return judge(large)
	}
}

// ends gives the plain results with the fewest and with the most namespaces, and whether these differ.
func ends(results []result) (few, many result, differ bool) {
	results = plain(results)
	if len(results) < 2 {
		return result{}, result{}, false
	}
	return results[0], results[len(results)-1], true
}

func (r result) shown() rotation { return r.rotations[r.middle()] }

var targets = []target{
	{"rotation to 5,000 namespaces, as a ratio to the floor", "1.15", at("5000", func(r result) (string, bool) {
		return fmt.Sprintf("%.2f", r.ratio(r.middle())), r.ratio(r.middle()) <= 1.15
	})},
	{"the operator's CPU for a namespace, whatever their number", "0.35 ms", worst(func(r result) float64 {
		return 1000 * r.shown().cpu.Seconds() / float64(r.Size.namespaces)
	}, 0.35, "%.2f ms")},
	{"requests for a namespace and rotation, from 2,000 on", "1.01", from(2000, worst(func(r result) float64 {
		return float64(r.shown().all()) / float64(r.Size.namespaces)
	}, 1.01, "%.3f"))},
	{"resident memory with 5,000 namespaces and the background", "80 MiB", at("5000+", func(r result) (string, bool) {
		peak := r.rotations[len(r.rotations)-1].peak
		return mib(peak), peak <= 80<<20
	})},
	{"live heap for each namespace more", "3 KB", func(results []result) (string, bool) {
		few, many, differ := ends(results)
		if !differ {
			return "-", false
		}
		bytes := float64(many.shown().live-few.shown().live) / float64(many.Size.namespaces-few.Size.namespaces)
		return fmt.Sprintf("%.1f KB", bytes/1000), bytes <= 3000
	}},
	{"a new namespace during a rotation to 5,000, slowest of ten", "50 ms", at("5000", func(r result) (string, bool) {
		slowest := slices.Max(r.rotations[0].after)
		return ms(slowest), slowest <= 50*time.Millisecond
	})},
	{"time of the largest rotation by that of the smallest, for as many namespaces each", "1.05", func(results []result) (string, bool) {
		few, many, differ := ends(results)
		if !differ {
			return "-", false
		}
		each := func(r result) float64 { return r.shown().length().Seconds() / float64(r.Size.namespaces) }
		return fmt.Sprintf("%.2f", each(many)/each(few)), each(many) <= 1.05*each(few)
	}},
	{"where nothing happens: writes, in all", "0", worst(func(r result) float64 { return float64(r.rest.writes()) }, 0, "%.0f")},
	{"where nothing happens: requests a second", "0.4", worst(func(r result) float64 {
		return float64(r.rest.all()) / r.restFor.Seconds()
	}, 0.4, "%.2f")},
	{"where nothing happens: CPU", "0.3 % of a core", worst(func(r result) float64 {
		return 100 * r.rest.cpu.Seconds() / r.restFor.Seconds()
	}, 0.3, "%.2f %%")},
	{"restart: Secrets written without need", "0", worst(func(r result) float64 { return float64(r.restarted.changes) }, 0, "%.0f")},
	{"restart: a new namespace has its Secret after", "3 s", worst(func(r result) float64 { return r.restarted.served.Seconds() }, 3, "%.1f s")},
}
