package delivery

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// TestTheLastNamespacesLoseNothingByATypo: a selector that selects nothing takes the credential from nobody before a person confirms that.
func TestTheLastNamespacesLoseNothingByATypo(t *testing.T) {
	typo := func(g *rig) {
		g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
	}
	for _, test := range []struct {
		name   string
		change func(*rig)
		held   bool
	}{
		{"a typo in the selector", typo, true},
		{"the labels are taken from all of them", func(g *rig) { g.relabel(2) }, true},
		{"the labels are taken from one", func(g *rig) { g.relabel(1) }, false},
		{"a typo, and it selects a namespace that is being deleted", func(g *rig) {
			typo(g)
			gone := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gone", Labels: map[string]string{"team": "shpo"}, Finalizers: []string{"example.com/held"}}}
			if err := errors.Join(g.c.Create(t.Context(), gone), g.c.Delete(t.Context(), gone)); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"another namespace is selected in their place", func(g *rig) { g.deselect() }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 2, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			g.all(2)
			test.change(g)
			for range 4 {
				g.all(2)
				g.now = g.now.Add(settle)
			}
			if stays := g.secret("n-00000") != nil; stays != test.held {
				t.Fatalf("the Secret stays: %t, want %t", stays, test.held)
			}
			removal, err := g.r.Removal(t.Context(), g.company())
			if err != nil || removal.Held != test.held || test.held && removal.Losing != 2 {
				t.Fatalf("%+v (%v), want held %t", removal, err, test.held)
			}
			if !test.held {
				return
			}
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Annotations = map[string]string{v1alpha1.ConfirmRemovalAnnotation: removal.ID}
			})
			g.now = g.now.Add(time.Minute)
			for range 3 {
				g.all(2)
				g.now = g.now.Add(settle)
			}
			if g.secret("n-00000") != nil || g.secret("n-00001") != nil {
				t.Error("it is confirmed, and the Secrets are still there")
			}
		})
	}
}

// A namespace that is deleted is lost by no selector: there is nothing to confirm.
func TestTheEndOfTheLastNamespaceIsNoRemoval(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	if err := g.c.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n-00000"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.all(1)
		g.now = g.now.Add(settle)
	}
	if removal, err := g.r.Removal(t.Context(), g.company()); err != nil || removal.Held {
		t.Errorf("%+v (%v)", removal, err)
	}
}

// A deletion with deletionPolicy Delete says outright that nobody is to have it: few namespaces are no reason to ask.
func TestADeletionOfAFewIsNotHeldForSelectingNobody(t *testing.T) {
	company := credential("company", "r.example")
	company.Spec.DeletionPolicy, company.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	g := newRig(t, 2, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	if err := g.c.Delete(t.Context(), g.company()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.all(2)
		g.now = g.now.Add(settle)
	}
	if g.secret("n-00000") != nil || g.secret("n-00001") != nil {
		t.Errorf("%+v %+v", g.secret("n-00000"), g.r.Board.Of("company", "regcred")["n-00000"])
	}
	if known, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company"); known.Reason != "" {
		t.Errorf("%+v", known)
	}
}

func (g *rig) company() *v1alpha1.RegistryCredential {
	g.t.Helper()
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(g.t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		g.t.Fatal(err)
	}
	return &object
}
