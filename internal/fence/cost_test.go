package fence

import (
	"testing"
	"time"
)

// Thousands of Secrets are written in a rotation, and each write is given an end.
func TestAnEndCostsACopyOfTheRequestAndItsAddress(t *testing.T) {
	given := request(t, "PUT", "/api/v1/namespaces/shop/secrets/regcred?fieldManager=regcred", nil)
	given.Header.Set("Authorization", "Bearer x")
	allocations := testing.AllocsPerRun(100, func() { within(given, 1234567*time.Microsecond) })
	if most := 5.0; allocations > most {
		t.Errorf("%.0f allocations, want %.0f at most", allocations, most)
	}
}
