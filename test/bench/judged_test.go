package bench

import (
	"testing"
	"time"
)

func TestATargetIsJudgedByTheSizesThatTell(t *testing.T) {
	of := func(namespaces, requests int) result {
		return result{Size: size{namespaces: namespaces, credentials: 1}, rotations: []rotation{{usage: usage{requests: map[string]int{"PUT": requests}}}}, floors: []time.Duration{1}}
	}
	background := func(r result) result {
		r.Size.background = true
		return r
	}
	judge := from(2000, worst(func(r result) float64 { return float64(r.shown().all()) / float64(r.Size.namespaces) }, 1.01, "%.3f"))
	for _, test := range []struct {
		name     string
		results  []result
		measured string
		met      bool
	}{
		{"small ones do not tell", []result{of(500, 600)}, "-", false},
		{"small ones do not count", []result{of(500, 600), of(2000, 2010)}, "1.005", true},
		{"a case with a background does not count", []result{of(2000, 2010), background(of(5000, 6000))}, "1.005", true},
		{"the worst counts", []result{of(2000, 2010), of(5000, 6000)}, "1.200", false},
	} {
		if measured, met := judge(test.results); measured != test.measured || met != test.met {
			t.Errorf("%s: %s, %t", test.name, measured, met)
		}
	}
}
