package watchdog

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestLinesOfTheLogNameASourceInWords(t *testing.T) {
	begun := false
	named := Source("a timer", func(context.Context, workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		begun = true
		return nil
	})
	if said := fmt.Sprintf("%s", named); said != "a timer" {
		t.Errorf("said %q", said)
	}
	if err := named.Start(t.Context(), nil); err != nil || !begun {
		t.Errorf("it does not start: %v", err)
	}
}
