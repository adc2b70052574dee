package delivery

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// The tests of this file own the order of events: a write is held at the client, another worker does its work meanwhile, and only then the
// write goes on. With -race they also show what two workers share. 200 runs cost seconds:
//
//	go test -race -count=200 -run 'TestOrder' ./controllers/delivery/

// meanwhile has another worker do something while the first write that a line names is held.
func (s *recorded) meanwhile(line string, work func()) *bool {
	happened := false
	s.refuse = func(made request) error {
		if made.String() != line || happened {
			return nil
		}
		happened = true
		done := make(chan struct{})
		go func() { defer close(done); work() }()
		<-done
		return nil
	}
	return &happened
}

func (g *rig) renamed() delivered.Place {
	g.t.Helper()
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry" })
	return delivered.Place{Namespace: "n-00000", Name: "registry"}
}

// TestOrderOfARename: pods that are created at any moment find a Secret that their ServiceAccount names.
func TestOrderOfARename(t *testing.T) {
	for _, held := range []string{"apply Secret registry", "patch ServiceAccount default"} {
		t.Run("the old place is looked at while "+held+" is under way", func(t *testing.T) {
			g, seen := delivers(t, nil)
			place := g.renamed()
			happened := seen.meanwhile(held, func() {
				for range 3 {
					if _, err := g.reconcile("n-00000"); err != nil {
						t.Error(err)
					}
				}
				if g.secret("n-00000") == nil || slices.Contains(seen.lines(), "delete Secret regcred") {
					t.Errorf("the old Secret goes before the new one is there and named: %q", seen.lines())
				}
			})
			if _, err := g.r.Reconcile(t.Context(), place); err != nil {
				t.Fatal(err)
			}
			if !*happened {
				t.Fatalf("no %q in %q", held, seen.lines())
			}
			g.leave()
			for range 2 {
				if _, err := g.r.Reconcile(t.Context(), place); err != nil {
					t.Fatal(err)
				}
				g.leave()
			}
			order := seen.lines()
			created, removed := slices.Index(order, "apply Secret registry"), slices.Index(order, "delete Secret regcred")
			if created < 0 || removed < created || !lists(g.account(), "registry") || lists(g.account(), "regcred") {
				t.Errorf("%q", order)
			}
		})
	}
}

// TestOrderOfADeletionAndAWrite: the object goes, with all that holds it, between what a worker decided and what it writes.
func TestOrderOfADeletionAndAWrite(t *testing.T) {
	g, seen := delivers(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.DeletionPolicy, c.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	})
	happened := seen.meanwhile("update Secret regcred", func() {
		var object v1alpha1.RegistryCredential
		if err := g.c.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
			t.Error(err)
			return
		}
		g.r.departed.leaves("company", g.now) // as when nothing was left
		object.Finalizers = nil
		if err := g.c.Update(t.Context(), &object); err != nil {
			t.Error(err)
		}
		if err := g.c.Delete(t.Context(), &object); err != nil {
			t.Error(err)
		}
	})
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	if !*happened {
		t.Fatalf("nothing was written: %q", seen.lines())
	}
	if g.secret("n-00000") == nil {
		t.Fatal("the write that was decided before did not happen, so that this test finds nothing")
	}
	g.leave()
	if g.secret("n-00000") != nil || lists(g.account(), "regcred") {
		t.Errorf("what was written for an object that is gone stays for ever: %q", seen.lines())
	}
}

// TestOrderOfARemovalAndALook: what a removal may take is counted while a worker makes the Secret that would be lost.
func TestOrderOfARemovalAndALook(t *testing.T) {
	company := credential("company", "r.example")
	company.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	g := newRig(t, 1, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	seen := recording(g)
	going := company.DeepCopy()
	going.DeletionTimestamp = ptr.To(metav1.NewTime(g.now))
	happened := seen.meanwhile("patch ServiceAccount default", func() { // the Secret is there, and no watch told of it yet
		g.r.ledger = ledger{}
		g.r.Secrets = emptyCache{everyName{g.c}}
		defer func() { g.r.Secrets = everyName{g.c} }()
		if got, err := g.r.Removal(t.Context(), going); err != nil || got.Holding != 1 {
			t.Errorf("%d namespaces hold entries, want 1: the finalizer would go: %v", got.Holding, err)
		}
	})
	g.all(1)
	g.now = g.now.Add(time.Second)
	if !*happened {
		t.Fatalf("%q", seen.lines())
	}
}
