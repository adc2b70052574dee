package verify

import (
	"strings"
	"testing"
)

func TestWhoAsksOncePromisesNothing(t *testing.T) {
	promised := 0
	for reason := range messages {
		said := finding{Result: Result{Registry: "registry.example.com", Image: "registry.example.com/shop/web:1", Step: StepHead, Reason: reason, StatusCode: 503}, detail: "what was wrong"}.message()
		once := AskedOnce(said)
		if strings.Contains(said, "tried again") {
			promised++
		} else if once != said {
			t.Errorf("%s: %q becomes %q", reason, said, once)
		}
		if strings.Contains(once, "again") || !strings.HasPrefix(said, once) || !strings.Contains(once, "registry.example.com") || strings.ContainsAny(once[len(once)-1:], ":; ") {
			t.Errorf("%s: %q becomes %q", reason, said, once)
		}
	}
	if promised != 4 {
		t.Errorf("%d messages promise to ask again", promised)
	}
}
