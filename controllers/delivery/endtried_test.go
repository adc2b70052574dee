package delivery

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// A person corrects a mistake and confirms it, too: what waited is over, also where that could not be kept at first.
func TestAConfirmationServesNoMistakeWhereTheEndOfWhatWaitedCannotBeKept(t *testing.T) {
	const namespaces = 10
	for name, changes := range map[string]func(*rig){
		"it is corrected": func(g *rig) { g.selects("shop") },
		"the namespaces are gone": func(g *rig) {
			for i := range namespaces {
				object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n-%05d", i)}}
				if err := errors.Join(g.c.Delete(g.t.Context(), g.secret(object.Name)), g.c.Delete(g.t.Context(), object)); err != nil {
					g.t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, namespaces, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			g.all(namespaces)
			id := g.waiting(namespaces)
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Annotations = map[string]string{v1alpha1.ConfirmRemovalAnnotation: id}
			})
			changes(g)
			g.storeFails = errAway
			failed := -1
			for i := range namespaces {
				if _, err := g.reconcile(fmt.Sprintf("n-%05d", i)); err != nil {
					failed = i
				}
			}
			if failed < 0 {
				t.Fatal("its end can be kept, so that this test finds nothing")
			}
			g.storeFails = nil
			if _, err := g.reconcile(fmt.Sprintf("n-%05d", failed)); err != nil {
				t.Fatal(err)
			}
			if kept := g.r.Store.Removals("company"); kept.Pending != nil || g.removal().Losing > 0 {
				t.Errorf("it is over, and kept is %+v", kept)
			}
			for i := range namespaces {
				if g.secret(fmt.Sprintf("n-%05d", i)) == nil {
					g.create(fmt.Sprintf("n-%05d", i))
				}
			}
			g.selects("shop")
			g.all(namespaces)
			g.selects("shpo")
			g.mistaken(namespaces)
		})
	}
}
