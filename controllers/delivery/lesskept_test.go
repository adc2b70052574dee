package delivery

import (
	"fmt"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// Two registries are given up and that is confirmed, and nothing can be written, such as while a webhook is away. One of the two is provided again, which
// every look sees. That it is given up once more while no operator runs is the next mistake: the process that starts is granted nothing of it.
func TestAnEntryThatIsProvidedAgainIsGrantedToNoLaterProcess(t *testing.T) {
	const namespaces = 10
	g := newRig(t, namespaces, credential("company", "r.example", "s.example", "t.example"))
	provides := func(revision string, registries ...string) {
		g.edit(func(c *v1alpha1.RegistryCredential) {
			c.Spec.Registries = nil
			for _, one := range registries {
				c.Spec.Registries = append(c.Spec.Registries, v1alpha1.Registry(one))
			}
		})
		g.publish(record(t, "company", revision, "one", registries...))
	}
	refused := func() {
		t.Helper()
		for i := range namespaces {
			if _, err := g.reconcile(fmt.Sprintf("n-%05d", i)); err == nil {
				t.Fatal("nothing is written, and nothing is tried again, so that this test finds nothing")
			}
		}
	}
	provides("1-x", "r.example", "s.example", "t.example")
	g.all(namespaces)
	provides("2-x", "r.example")
	g.settled(namespaces)
	seen := g.removal()
	if !seen.Held {
		t.Fatalf("it does not wait, so that this test finds nothing: %+v", seen)
	}
	g.confirm(seen.ID)
	answer := g.unanswered(false)
	refused()
	provides("3-x", "r.example", "t.example")
	refused()
	g.removal() // as the look at the RegistryCredential does
	answer()
	provides("4-x", "r.example")
	g.restart()
	g.settled(namespaces)
	if got, held := g.having(namespaces, `"t.example"`), g.removal(); got != namespaces || !held.Held {
		t.Errorf("the next mistake takes the entry from %d of %d: %+v", namespaces-got, namespaces, held)
	}
}
