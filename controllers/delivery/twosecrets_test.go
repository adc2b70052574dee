package delivery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

func (g *rig) deleted() {
	g.t.Helper()
	if err := g.c.Delete(g.t.Context(), g.company()); err != nil {
		g.t.Fatal(err)
	}
}

// Two Secrets of a namespace hold entries while a new name of it waits for a person. What a person confirms is what he saw: both.
func TestARemovalFromTwoSecretsOfEachNamespaceIsConfirmedOnce(t *testing.T) {
	const namespaces = 10
	for _, first := range []string{"regcred", "registry"} {
		t.Run(first+" goes first", func(t *testing.T) {
			company := credential("company", "r.example")
			company.Spec.DeletionPolicy, company.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
			g := newRig(t, namespaces, company)
			g.publish(record(t, "company", "1-x", "good", "r.example"))
			g.all(namespaces)
			look := func(name string) {
				t.Helper()
				for i := range namespaces {
					if _, err := g.r.Reconcile(t.Context(), delivered.Place{Namespace: fmt.Sprintf("n-%05d", i), Name: name}); err != nil {
						t.Fatal(err)
					}
				}
			}
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry" })
			for _, step := range []func(){func() {}, g.deleted} {
				step()
				for range 3 {
					look("registry")
					look("regcred")
					g.now = g.now.Add(settle)
				}
			}
			held := g.removal()
			if !held.Held || held.Losing != namespaces {
				t.Fatalf("%+v", held)
			}
			g.edit(func(c *v1alpha1.RegistryCredential) {
				metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, held.ID)
			})
			look(first)
			look(first) // as the watch tells that it is gone
			look(map[string]string{"regcred": "registry", "registry": "regcred"}[first])
			for range 3 {
				g.now = g.now.Add(settle)
				look("registry")
				look("regcred")
			}
			var left corev1.SecretList
			if err := g.c.List(t.Context(), &left); err != nil || len(left.Items) > 0 || g.removal().Held {
				t.Errorf("%d Secrets are left, and it waits for another confirmation: %t (%v)", len(left.Items), g.removal().Held, err)
			}
		})
	}
}

// A namespace whose Secret keeps its entry after all is granted nothing by what another Secret of it is to lose.
func TestWhatIsGrantedToANamespaceOfTwoSecretsEndsWithThoseAndWithACorrection(t *testing.T) {
	object, now := credential("company", "r.example"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	one, other := delivered.Place{Namespace: "a", Name: "regcred"}, delivered.Place{Namespace: "a", Name: "registry"}
	for _, test := range []struct {
		name    string
		does    func(*Reconciler) error
		granted bool
	}{
		{"the one lost it", func(r *Reconciler) error { return r.lost(t.Context(), object, one) }, true},
		{"the one keeps it", func(r *Reconciler) error { return r.keepsAll(t.Context(), object, one) }, false},
		{"both lost it", func(r *Reconciler) error {
			return errors.Join(r.lost(t.Context(), object, one), r.lost(t.Context(), object, other))
		}, false},
		{"the one in another namespace lost it", func(r *Reconciler) error {
			return r.lost(t.Context(), object, delivered.Place{Namespace: "b", Name: "regcred"})
		}, true},
	} {
		g, _ := delivers(t, nil)
		for _, place := range []delivered.Place{one, other, {Namespace: "b", Name: "regcred"}} {
			g.r.memories.of(place, "u")
		}
		k := g.r.keepers.of(object, g.r.Store.Removals, now)
		k.losing, k.decided = map[delivered.Place]bool{one: true, other: true, {Namespace: "b", Name: "regcred"}: true}, g.now
		k.state.Granted, k.state.GrantTime = removal.SetOf("a", "b"), g.now
		if err := test.does(g.r); err != nil || k.grants(other, g.now) != test.granted {
			t.Errorf("%s: the other may lose it: %t (%v)", test.name, k.grants(other, g.now), err)
		}
	}
}
