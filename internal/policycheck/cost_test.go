package policycheck

import (
	"net/http"
	"testing"
)

// Thousands of Secrets are written in a rotation, and each write asks.
func TestToAskTheGateCostsNothing(t *testing.T) {
	gate := NewGate(true)
	gate.Set(State{Known: true})
	through := gate.Wrap(&answering{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://api/api/v1/namespaces/shop/secrets/regcred?fieldManager=regcred", nil)
	if err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := through.RoundTrip(request); err != nil {
			t.Fatal(err)
		}
	})
	if most := 1.0; allocations > most { // the answer of this test
		t.Errorf("%.0f allocations for a write, want %.0f at most", allocations, most)
	}
}
