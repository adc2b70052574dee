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
	if got := NotGiven("Secret", "pull-secret", []string{"a", "b", "c", "d", "e"}, "secretNames"); !strings.Contains(got, "only a, b, c, d, e: use") {
		t.Errorf("five are not all: %q", got)
	}
	if got := NotGiven("Secret", strings.Repeat("x", 5000), []string{"a"}, "secretNames"); !strings.Contains(got, "only a: use") {
		t.Errorf("a long name hides what can be done: %q", got)
	}
	if got := NotGiven("Secret", "x", []string{"a\x1b[31m", strings.Repeat("y", 5000)}, "secretNames"); strings.Contains(got, "\x1b") || len(got) > 1000 {
		t.Errorf("what was given is told as it is, in %d bytes: %q", len(got), got)
	}
	if got := NotGiven("Secret", "pull-secret", []string{"a"}, "secretNames"); !strings.Contains(got, "only a: use") {
		t.Error(got)
	}
}
