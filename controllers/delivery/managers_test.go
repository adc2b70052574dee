package delivery

import (
	"slices"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// Rivals are told by their field managers: what regcred writes bears its own name, and it takes no field from anybody by force.
func TestEachWriteBearsTheNameOfTheOperator(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	seen := recording(g)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	g.deselect()
	g.leave()
	want := []string{"apply Secret regcred", "patch ServiceAccount default", "update Secret regcred", "patch ServiceAccount default", "delete Secret regcred"}
	if !slices.Equal(seen.lines(), want) {
		t.Fatalf("%q, want %q", seen.lines(), want)
	}
	for _, made := range seen.requests {
		if made.verb != "delete" && (made.manager != v1alpha1.FieldManager || made.forced) {
			t.Errorf("%s is written by %q, by force: %t", made, made.manager, made.forced)
		}
	}
}
