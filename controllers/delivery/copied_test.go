package delivery

import (
	"fmt"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// A tool that copies the Secret of a parent namespace copies what regcred wrote on it, too.
func TestACopyThatAToolMadeIsLeftToIt(t *testing.T) {
	for _, selected := range []bool{false, true} {
		t.Run(fmt.Sprintf("in a namespace that is selected: %t", selected), func(t *testing.T) {
			g := withTenant(t)
			namespace := "tenant"
			if selected {
				namespace = "n-00001"
			}
			g.forge(namespace, "r.example")
			copied := g.secret(namespace)
			copied.Labels["hnc.x-k8s.io/inherited-from"] = "parent"
			if err := g.c.Update(t.Context(), copied); err != nil {
				t.Fatal(err)
			}
			before, writes := g.secret(namespace), recording(g)
			if _, err := g.reconcile(namespace); err != nil {
				t.Fatal(err)
			}
			if after := g.secret(namespace); after == nil || after.ResourceVersion != before.ResourceVersion || len(writes.requests) > 0 {
				t.Errorf("it was written: %q", writes.lines())
			}
			told, _ := g.r.Board.At(delivered.Place{Namespace: namespace, Name: "regcred"}, "company")
			if selected && (told.Reason != v1alpha1.ReasonForeignSecret || !strings.Contains(told.Message, "Hierarchical Namespaces parent: change the Secret of the parent namespace")) {
				t.Errorf("said is %q: %s", told.Reason, told.Message)
			}
			// What it records is of the original: a value that is in nobody's use any more would seem to be in use here.
			if told.Version != (delivered.Version{}) || told.TakenBy != "" {
				t.Errorf("it is said to hold %+v, and to be taken by %q", told.Version, told.TakenBy)
			}
		})
	}
}
