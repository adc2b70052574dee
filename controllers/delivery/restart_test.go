package delivery

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// restart leaves what is kept, and nothing else.
func (g *rig) restart() {
	g.r = &Reconciler{Cluster: g.c, Writer: g.c, Secrets: g.r.Secrets, ServiceAccounts: g.r.ServiceAccounts, Store: g.r.Store,
		Board: delivered.NewBoard(func(string) {}), Now: g.r.Now}
	var there corev1.SecretList
	if err := g.c.List(g.t.Context(), &there); err != nil {
		g.t.Fatal(err)
	}
	for i := range there.Items {
		g.r.ledger.begin(&there.Items[i]) // as the watch does with what it finds at first
	}
}

func TestARemovalThatWasTakenBackWhileTheOperatorWasAwayIsOver(t *testing.T) {
	for _, c := range []struct {
		name     string
		takeBack func(g *rig)
	}{
		{"the selector was corrected", func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shop" })
		}},
		{"the namespaces were deleted", func(g *rig) {
			var all corev1.NamespaceList
			if err := g.c.List(t.Context(), &all); err != nil {
				t.Fatal(err)
			}
			for i := range all.Items {
				if err := g.c.Delete(t.Context(), g.secret(all.Items[i].Name)); err != nil {
					t.Fatal(err)
				}
				if err := g.c.Delete(t.Context(), &all.Items[i]); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t, 10, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "old", "r.example"))
			g.all(10)
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
			g.all(10)
			g.now = g.now.Add(time.Minute)
			g.all(10)
			if held := g.removal(); !held.Held {
				t.Fatalf("%+v", held)
			}
			c.takeBack(g)
			g.restart()
			if held := g.removal(); !held.Held {
				t.Errorf("right after the start nobody knows, and it is not held: %+v", held)
			}
			g.all(10)
			g.now = g.now.Add(time.Minute)
			if held := g.removal(); held.Held {
				t.Errorf("a minute later it is held, though nothing is to be removed: %+v", held)
			}
			g.restart()
			if held := g.removal(); held.Held {
				t.Errorf("after the next start it is held again: %+v", held)
			}
		})
	}
}

func TestARemovalThatStillWaitsKeepsItsNameAfterARestart(t *testing.T) {
	g := newRig(t, 10, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "old", "r.example"))
	g.all(10)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
	g.all(10)
	g.now = g.now.Add(time.Minute)
	g.all(10)
	before := g.removal()
	g.restart()
	for i := range 3 {
		if held := g.removal(); held.ID != before.ID || !held.Held {
			t.Errorf("look %d: %+v, want %s", i, held, before.ID)
		}
		g.all(10)
		g.now = g.now.Add(time.Minute)
	}
	if got := g.having(10, "r.example"); got != 10 {
		t.Errorf("%d of 10 have the entry", got)
	}
}
