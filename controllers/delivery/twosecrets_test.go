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

// What is granted to one Secret of a namespace is granted to it alone, and ends with what it is to lose.
func TestWhatIsGrantedToASecretEndsWithWhatItLoses(t *testing.T) {
	object, now := credential("company", "r.example"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	one, other := delivered.Place{Namespace: "a", Name: "regcred"}, delivered.Place{Namespace: "a", Name: "registry"}
	for _, test := range []struct {
		name    string
		does    func(*Reconciler) error
		granted bool
	}{
		{"the one loses nothing any more", func(r *Reconciler) error { return r.losesNothing(t.Context(), object, one) }, true},
		{"neither loses anything any more", func(r *Reconciler) error {
			return errors.Join(r.losesNothing(t.Context(), object, one), r.losesNothing(t.Context(), object, other))
		}, false},
		{"the one in another namespace loses nothing any more", func(r *Reconciler) error {
			return r.losesNothing(t.Context(), object, delivered.Place{Namespace: "b", Name: "regcred"})
		}, true},
	} {
		g, _ := delivers(t, nil)
		k := g.r.keepers.of(object, g.r.Store.Removals, now)
		k.losing, k.decided = wholly(one, other, delivered.Place{Namespace: "b", Name: "regcred"}), g.now
		k.state.Granted, k.state.GrantTime = removal.PartsOf(wholeOf(one), wholeOf(other), regcredIn("b")), g.now
		if err := test.does(g.r); err != nil || k.grants(other, g.now) != test.granted {
			t.Errorf("%s: the other may lose it: %t (%v)", test.name, k.grants(other, g.now), err)
		}
	}
}

// A write that took what was granted, and whose answer was lost, is no correction: what the other Secret of the namespace is to lose stays granted.
func TestAConfirmationServesBothSecretsAlsoWhereTheAnswerToAWriteIsLost(t *testing.T) {
	const namespaces = 10
	g := newRig(t, namespaces, credential("company", "r.example", "old.example"))
	g.publish(record(t, "company", "1-x", "good", "r.example", "old.example"))
	g.all(namespaces)
	look := func(name string) (failed int) {
		for i := range namespaces {
			if _, err := g.r.Reconcile(t.Context(), delivered.Place{Namespace: fmt.Sprintf("n-%05d", i), Name: name}); err != nil {
				failed++
			}
		}
		return failed
	}
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry" })
	for _, step := range []func(){func() {}, func() {
		g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = []v1alpha1.Registry{"r.example"} })
		g.publish(record(t, "company", "2-x", "good", "r.example"))
	}} {
		step()
		for range 3 {
			if look("registry")+look("regcred") > 0 {
				t.Fatal("a look failed")
			}
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
	answer := g.unanswered(true)
	if failed := look("registry"); failed != namespaces {
		t.Fatalf("%d writes were not answered", failed)
	}
	answer()
	for range 3 {
		look("registry")
		look("regcred")
		g.now = g.now.Add(settle)
	}
	left := 0
	for i := range namespaces {
		if g.secret(fmt.Sprintf("n-%05d", i)) != nil {
			left++
		}
	}
	if left > 0 || g.removal().Held {
		t.Errorf("%d Secrets are left, and it waits for another confirmation: %t", left, g.removal().Held)
	}
}
