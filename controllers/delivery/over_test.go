package delivery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/test/inmemory"
)

// What was granted for one removal serves no other: the next mistake waits for a person again, whatever ended the removal before it.

// selects has a RegistryCredential select the namespaces of a team.
func (g *rig) selects(team string) {
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = team })
}

// waiting has a typo in the selector found, and gives what waits for a person.
func (g *rig) waiting(namespaces int) string {
	g.t.Helper()
	g.selects("shpo")
	for range 3 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	g.all(namespaces)
	held := g.removal()
	if got := g.having(namespaces, "r.example"); !held.Held || got != namespaces {
		g.t.Fatalf("a typo takes the credential from %d of %d: %+v", namespaces-got, namespaces, held)
	}
	return held.ID
}

// confirmed is a rig in which a removal from all namespaces is confirmed, and was carried out in the first.
func confirmed(t *testing.T, namespaces int) *rig {
	t.Helper()
	g := newRig(t, namespaces, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(namespaces)
	id := g.waiting(namespaces)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Annotations = map[string]string{v1alpha1.ConfirmRemovalAnnotation: id}
	})
	g.now = g.now.Add(settle)
	if _, err := g.reconcile("n-00000"); err != nil || g.secret("n-00000") != nil {
		t.Fatalf("what is confirmed is not removed: %v", err)
	}
	return g
}

// again has the namespaces selected and served once more, and looks whether the next mistake waits.
func (g *rig) again(namespaces int) {
	g.t.Helper()
	g.selects("shop")
	for range 2 {
		g.all(namespaces)
		g.now = g.now.Add(time.Minute)
	}
	if got := g.having(namespaces, "r.example"); got != namespaces {
		g.t.Fatalf("%d of %d are served again", got, namespaces)
	}
	g.waiting(namespaces)
}

func TestAConfirmationServesNoOtherRemoval(t *testing.T) {
	const namespaces = 10
	for _, test := range []struct {
		name string
		ends func(*rig)
	}{
		{"it was carried out", func(g *rig) {
			for range 2 {
				g.all(namespaces)
			}
		}},
		{"it was taken back in the middle", func(g *rig) { g.selects("shop"); g.all(namespaces) }},
		{"the operator was restarted in the middle, and it was taken back", func(g *rig) { g.selects("shop"); g.restart(); g.all(namespaces) }},
		{"the operator was restarted after it", func(g *rig) { g.all(namespaces); g.restart(); g.all(namespaces) }},
		{"the namespaces were deleted in the middle, and created again", func(g *rig) {
			g.all(1)
			for i := 1; i < namespaces; i++ {
				g.end(fmt.Sprintf("n-%05d", i))
			}
			if left := g.removal(); left.Losing != 0 {
				g.t.Errorf("they are gone, and are said to lose something: %+v", left)
			}
			for i := 1; i < namespaces; i++ {
				g.create(fmt.Sprintf("n-%05d", i))
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := confirmed(t, namespaces)
			test.ends(g)
			g.again(namespaces)
		})
	}
}

// A correction that is made while nothing may be written ends a removal, too.
func TestAConfirmationServesNoOtherRemovalAfterASuspension(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Suspend, c.Spec.Target.NamespaceSelector.MatchLabels["team"] = true, "shop"
	})
	g.all(namespaces)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Suspend, c.Spec.Target.NamespaceSelector.MatchLabels["team"] = false, "shpo"
	})
	for range 3 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	if got, held := g.having(namespaces, "r.example"), g.removal(); got != namespaces-1 || !held.Held {
		t.Errorf("a typo takes the credential from %d of %d: %+v", namespaces-1-got, namespaces-1, held)
	}
}

// end deletes a namespace with all that is in it, and has that looked at.
func (g *rig) end(name string) {
	g.t.Helper()
	ctx := g.t.Context()
	if secret := g.secret(name); secret != nil {
		if err := g.c.Delete(ctx, secret); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.c.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.reconcile(name); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) create(name string) {
	g.t.Helper()
	fresh := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name + "-again"), Labels: map[string]string{"team": "shop"}}}
	if err := g.c.Create(g.t.Context(), fresh); err != nil {
		g.t.Fatal(err)
	}
}

// besides is a rig in which the Secret of each namespace is there for another RegistryCredential, too.
func besides(t *testing.T, namespaces int) *rig {
	t.Helper()
	other := credential("other", "other.example")
	other.Spec.Target.NamespaceSelector = nil
	for i := range namespaces {
		other.Spec.Target.Namespaces = append(other.Spec.Target.Namespaces, v1alpha1.NamespaceName(fmt.Sprintf("n-%05d", i)))
	}
	g := newRig(t, namespaces, credential("company", "r.example", "more.example"), other)
	g.publish(record(t, "company", "1-x", "one", "r.example", "more.example"), record(t, "other", "1-x", "two", "other.example"))
	g.all(namespaces)
	g.identified()
	g.all(namespaces)
	return g
}

// carriedOut has a removal from the first two namespaces decided and carried out, and nothing looked at after that.
func (g *rig) carriedOut(gone string) {
	g.t.Helper()
	g.all(2)
	g.now = g.now.Add(settle)
	g.all(2)
	if got := g.having(2, gone); got != 0 {
		g.t.Fatalf("%d of 2 still have the entry", got)
	}
	if place := inFirst("regcred")[0]; !g.r.ledger.settled(place, g.secret("n-00000").ResourceVersion) {
		g.t.Fatal("the place is looked at once more, so that this test finds nothing")
	}
}

// A removal from a Secret that stays is over with the write: the watch tells of nothing that is not known, so nobody looks once more.
func TestTheEndOfARemovalFromASecretThatStaysIsKnownAtOnce(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"the namespaces are deselected": func(g *rig) { g.relabel(2) },
		"a registry is given up": func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = c.Spec.Registries[:1] })
			g.publish(record(g.t, "company", "2-x", "one", "r.example"))
		},
		"two registries are given up, of which one stays until another one provides it": func(g *rig) {
			var other v1alpha1.RegistryCredential
			if err := g.c.Get(g.t.Context(), client.ObjectKey{Name: "other"}, &other); err != nil {
				g.t.Fatal(err)
			}
			other.Generation++
			other.Spec.Registries = append(other.Spec.Registries, "r.example")
			if err := g.c.Update(g.t.Context(), &other); err != nil {
				g.t.Fatal(err)
			}
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = []v1alpha1.Registry{"new.example"} })
			g.publish(record(g.t, "company", "2-x", "one", "new.example"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := besides(t, 2)
			g.alsoThere("shop")
			change(g)
			g.carriedOut("more.example")
			k := g.r.keepers.of(g.company(), g.r.Store.Removals, g.now)
			if left := g.removal(); left.Losing != 0 || len(k.losing) > 0 || len(k.state.Granted) > 0 {
				t.Errorf("it is over: %+v; places that lose something: %v", left, k.losing)
			}
		})
	}
}

// What one command relabels some minutes after a removal is one removal, which waits as a whole.
func TestARemovalBitByBitAfterAnotherOneWaitsAsAWhole(t *testing.T) {
	const namespaces = 10
	g := besides(t, namespaces)
	g.relabel(2)
	g.carriedOut(`"r.example"`)
	g.now = g.now.Add(5 * time.Minute)
	for i := 2; i < namespaces; i++ {
		g.relabel(i + 1)
		for again := 2; again <= i; again++ {
			if _, err := g.reconcile(fmt.Sprintf("n-%05d", again)); err != nil {
				t.Fatal(err)
			}
		}
		g.now = g.now.Add(time.Second)
	}
	if got := g.having(namespaces, `"r.example"`); got != namespaces-2 {
		t.Errorf("%d of %d lost it before it was known how many there are", namespaces-2-got, namespaces-2)
	}
}

// What another leader decided about a removal is gone on from, and not written over.
func TestWhatAnotherLeaderDecidedOfARemovalIsGoneOnFrom(t *testing.T) {
	kept := removal.State{UID: "company", Serial: 3, Granted: wholeIn("a", "b"), GrantTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	k := (&keepers{}).of(credential("company"), func(string) removal.State { return removal.State{} }, kept.GrantTime)
	k.decided = kept.GrantTime
	k.resume(kept)
	place := delivered.Place{Namespace: "a", Name: "regcred"}
	k.losing = wholly(place)
	if k.state.Serial != 3 || !k.inherited || k.grants(place, kept.GrantTime) {
		t.Errorf("%+v; granted before anybody looked whether it is still to be lost: %t", k.state, k.grants(place, kept.GrantTime))
	}
	kept.UID, kept.Serial = "another", 9
	if k.resume(kept); k.state.Serial != 3 {
		t.Errorf("what is kept of another one counts: %+v", k.state)
	}
}

func TestADecisionThatCannotBeKeptIsMadeAgainOfWhatIsKept(t *testing.T) {
	kept, conflict := inmemory.Clientset(), false
	kept.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		action.(clienttesting.CreateAction).GetObject().(*corev1.Secret).ResourceVersion = "1"
		return false, nil, nil
	})
	kept.PrependReactor("update", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		refused := conflict
		conflict = false
		return refused, nil, apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "company", nil)
	})
	g := newRig(t, 2, credential("company", "r.example"))
	g.r.Store = records.NewStore(kept.CoreV1(), "regcred-system", func(string) {})
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	other := records.NewStore(kept.CoreV1(), "regcred-system", func(string) {})
	if err := errors.Join(other.Load(t.Context()), other.KeepRemovals(t.Context(), "company", removal.State{UID: "company", Serial: 3})); err != nil {
		t.Fatal(err)
	}
	g.selects("shpo")
	g.all(2)
	g.now = g.now.Add(settle)
	conflict = true
	if _, err := g.reconcile("n-00000"); !apierrors.IsConflict(err) {
		t.Fatalf("another leader wrote it, and the look gives: %v", err)
	}
	g.now = g.now.Add(decideAgain)
	g.all(2)
	if got := g.r.Store.Removals("company"); got.Serial != 3 || got.Pending == nil {
		t.Errorf("what the other leader kept is written over: %+v", got)
	}
}
