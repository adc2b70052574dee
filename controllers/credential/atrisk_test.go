package credential

import (
	"testing"

	"regcred.dev/regcred/internal/podlist"
)

func TestHowManyPodsAreSaidToBeAtRisk(t *testing.T) {
	for name, found := range map[string]podlist.Running{
		"7": {Count: 7}, "at least 7": {Count: 7, Truncated: true}, "0": {}, "at least 0": {Truncated: true},
	} {
		if got := countOf(found); got != name {
			t.Errorf("%+v is told as %q, want %q", found, got, name)
		}
	}
}
