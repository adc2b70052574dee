package target

import (
	"strings"
	"testing"
)

func TestAMessageOfANameThatIsNotGivenNamesThoseThatAre(t *testing.T) {
	got := NotGiven("Secret", "pull-secret", []string{"a", "b", "c", "d", "e", "f"}, "secretNames")
	for _, part := range []string{"Secret pull-secret", "a, b, c, d, e and others", "secretNames"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q lacks %q", got, part)
		}
	}
	if strings.Contains(got, "f and") {
		t.Errorf("more names than five: %q", got)
	}
	if got := NotGiven("Secret", "pull-secret", []string{"a"}, "secretNames"); !strings.Contains(got, "only a: use") {
		t.Error(got)
	}
}
