package delivery

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// refusing has the API server refuse each change of Secrets of a namespace from here on.
func (g *rig) refusing(namespace string) {
	refused := func(object client.Object) error {
		if _, is := object.(*corev1.Secret); is && object.GetNamespace() == namespace {
			return errAway
		}
		return nil
	}
	g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if err := refused(object); err != nil {
				return err
			}
			return c.Update(ctx, object, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			if err := refused(object); err != nil {
				return err
			}
			return c.Delete(ctx, object, options...)
		},
	})
}

// refused is a rig of ten namespaces of which the last was deselected some minutes ago, and refuses to have its Secret changed.
func refused(t *testing.T) *rig {
	t.Helper()
	g := newRig(t, 10, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(10)
	g.refusing("n-00009")
	g.relabelOne("n-00009", "none")
	for range 2 {
		_, _ = g.reconcile("n-00009") // it fails once it is decided
		g.now = g.now.Add(settle)
	}
	if k := g.r.keepers.of(g.company(), g.r.Store.Removals, g.now); !k.state.Grants(regcredIn("n-00009")) {
		t.Fatal("its removal is not decided, so that this test finds nothing")
	}
	g.now = g.now.Add(5 * time.Minute)
	return g
}

// What one command relabels is one removal, also while a namespace that was deselected before refuses to have its Secret changed.
func TestARemovalBitByBitBesideOneThatIsRefusedWaitsAsAWhole(t *testing.T) {
	g := refused(t)
	for i := range 9 {
		g.relabelOne(fmt.Sprintf("n-%05d", i), "none")
		g.all(i + 1)
		g.now = g.now.Add(time.Second)
	}
	for range 3 {
		g.now = g.now.Add(settle)
		g.all(9)
	}
	if got, held := g.having(10, "r.example"), g.removal(); got != 10 || !held.Held {
		t.Errorf("%d of 10 lost it before it was known how many there are: %+v", 10-got, held)
	}
}

// What waits for a person and is taken back waits no more, also while such a namespace is still to lose its entry.
func TestARemovalThatIsTakenBackBesideOneThatIsRefusedWaitsNoMore(t *testing.T) {
	g := refused(t)
	g.selects("shpo")
	for range 3 {
		g.all(9)
		g.now = g.now.Add(settle)
	}
	if held := g.removal(); !held.Held {
		t.Fatalf("%+v", held)
	}
	g.selects("shop")
	for i := range 9 {
		if held := g.removal(); !held.Held {
			t.Errorf("%d of 9 are to lose it still, and nothing is said to wait: %+v", 9-i, held)
		}
		if _, err := g.reconcile(fmt.Sprintf("n-%05d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if held := g.removal(); held.Held || held.Losing != 1 {
		t.Errorf("it was taken back, and is said to wait: %+v", held)
	}
}
