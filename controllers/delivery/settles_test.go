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

// What one command relabels is one removal, also while a namespace that was deselected long ago refuses to have its Secret changed.
func TestARemovalBitByBitBesideOneThatIsRefusedWaitsAsAWhole(t *testing.T) {
	const namespaces = 10
	g := newRig(t, namespaces, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(namespaces)
	g.refusing("n-00009")
	g.relabelOne("n-00009", "none")
	for range 2 {
		_, _ = g.reconcile("n-00009") // it fails once it is decided
		g.now = g.now.Add(settle)
	}
	if k := g.r.keepers.of(g.company(), g.r.Store.Removals, g.now); !k.state.Granted.Has("n-00009") {
		t.Fatal("its removal is not decided, so that this test finds nothing")
	}
	g.now = g.now.Add(5 * time.Minute)
	for i := range namespaces - 1 {
		g.relabelOne(fmt.Sprintf("n-%05d", i), "none")
		for again := range i + 1 {
			if _, err := g.reconcile(fmt.Sprintf("n-%05d", again)); err != nil {
				t.Fatal(err)
			}
		}
		g.now = g.now.Add(time.Second)
	}
	for range 3 {
		g.now = g.now.Add(settle)
		g.all(namespaces - 1)
	}
	if got, held := g.having(namespaces, "r.example"), g.removal(); got != namespaces || !held.Held {
		t.Errorf("%d of %d lost it before it was known how many there are: %+v", namespaces-got, namespaces, held)
	}
}
