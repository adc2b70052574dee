package recovery

import (
	"strconv"
	"testing"

	"regcred.dev/regcred/internal/delivered"
)

// One delivery is remembered for each namespace with stuck pods, and the people of namespaces choose where those are.
func TestOfDeliveriesBesideStuckPodsNoMoreAreRememberedThanTheBound(t *testing.T) {
	var h heard
	at := func(n int) delivered.Place {
		return delivered.Place{Namespace: "n-" + strconv.Itoa(n), Name: "regcred"}
	}
	for n := range maxHeard + 10 {
		if !h.news(at(n), "company", delivered.Delivery{Selected: true}) {
			t.Fatalf("the first delivery in namespace %d is no news", n)
		}
		if len(h.deliveries) > maxHeard {
			t.Fatalf("%d are remembered", len(h.deliveries))
		}
	}
	if h.news(at(maxHeard+9), "company", delivered.Delivery{Selected: true}) || !h.news(at(0), "company", delivered.Delivery{Selected: true}) {
		t.Error("the last one is forgotten, or the first one is not")
	}
}
