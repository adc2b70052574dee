package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
)

// unasked has the API server not tell how a RegistryCredential is. Its cache does.
func (g *rig) unasked(name string) (answer func()) {
	writer := g.r.Writer
	g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if _, is := object.(*v1alpha1.RegistryCredential); is && key.Name == name {
				return errAway
			}
			return c.Get(ctx, key, object, options...)
		},
	})
	return func() { g.r.Writer = writer }
}

// countingReads is a client that counts what it is asked for by name.
func countingReads(under client.Client, reads *int) client.WithWatch {
	return interceptor.NewClient(under.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			*reads++
			return c.Get(ctx, key, into, options...)
		},
	})
}

// failing looks at all namespaces, and counts the looks that are to be tried again because something is away.
func (g *rig) failing(namespaces int) (failed int) {
	for i := range namespaces {
		if _, err := g.reconcile(fmt.Sprintf("n-%05d", i)); errors.Is(err, errAway) {
			failed++
		}
	}
	return failed
}

// What keeps a decision about one RegistryCredential from being made or kept, such as a webhook that refuses its record, takes nothing from it, and
// keeps no other one in the namespace from being served.
func TestADecisionThatCannotBeMadeStopsNobodyElse(t *testing.T) {
	unkept := func(g *rig) (answer func()) {
		g.storeFails = errAway
		return func() { g.storeFails = nil }
	}
	deselected := func(g *rig) {
		g.alsoThere("shpo")
		g.selects("shpo")
		g.publish(record(g.t, "company", "2-x", "two", "r.example", "more.example"))
	}
	for _, test := range []struct {
		name    string
		changes func(*rig)
		fails   func(*rig) (answer func())
		// goes is the entry that goes in the end, told what is told of it before.
		goes, told string
	}{
		{"that it is deselected cannot be kept", deselected, unkept, `"r.example"`, v1alpha1.ReasonProgressing},
		{"the API server does not say whether it is deselected", deselected, func(g *rig) func() { return g.unasked("company") }, `"r.example"`, v1alpha1.ReasonProgressing},
		{"that it gives a registry up cannot be kept", func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = c.Spec.Registries[:1] })
			g.publish(record(g.t, "company", "2-x", "two", "r.example"))
		}, unkept, `"more.example"`, ""},
		{"that it is renamed cannot be kept", func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "another" })
			g.publish(record(g.t, "company", "2-x", "two", "r.example", "more.example"))
		}, unkept, "", v1alpha1.ReasonProgressing},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := besides(t, 1)
			test.changes(g)
			g.publish(record(t, "other", "2-x", "new", "other.example"))
			if test.goes == "" {
				if _, err := g.r.Reconcile(t.Context(), inFirst("another")[0]); err != nil {
					t.Fatal(err)
				}
			}
			g.all(1) // which finds that it is to lose something
			g.publish(record(t, "other", "3-x", "newest", "other.example"))
			g.now = g.now.Add(settle)
			answer := test.fails(g)
			_, err := g.reconcile("n-00000")
			if !errors.Is(err, errAway) {
				t.Errorf("it is not tried again: %v", err)
			}
			if !g.has(0, `"password":"newest"`) || !g.has(0, `"password":"two"`) {
				t.Errorf("the others are not served, or it is not rotated: %s", g.secret("n-00000").Data)
			}
			for _, entry := range []string{`"r.example"`, `"more.example"`} {
				if !g.has(0, entry) {
					t.Errorf("it lost the entry for %s", entry)
				}
			}
			if known, _ := g.r.Board.At(first, "company"); known.Reason != test.told {
				t.Errorf("told is %+v", known)
			}
			if known, _ := g.r.Board.At(first, "other"); known.Revision != "3-x" || known.Reason != "" {
				t.Errorf("of the other is told %+v", known)
			}
			answer()
			for range 2 {
				g.now = g.now.Add(time.Minute)
				g.all(1)
			}
			if test.goes != "" && g.has(0, test.goes) {
				t.Errorf("it could be decided since, and %s is still there", test.goes)
			}
		})
	}
}

// That a removal is over is decided, too: a correction is served before it can be kept.
func TestACorrectionIsServedWhereItCannotBeKept(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	g.selects("shop")
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.storeFails = errAway
	failed := g.failing(namespaces)
	if got := g.having(namespaces, `"password":"two"`); got != namespaces || failed == 0 {
		t.Errorf("%d of %d have the value, and %d looks are tried again", got, namespaces, failed)
	}
}

// A decision looks at all places, and each of them asks for it: one that cannot be made is not tried for each.
func TestADecisionThatCannotBeMadeIsTriedOnceForAllPlaces(t *testing.T) {
	const namespaces = 10
	g := newRig(t, namespaces, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(namespaces)
	g.selects("shpo")
	g.all(namespaces)
	g.now = g.now.Add(settle)
	asked := 0
	g.r.Cluster, g.storeFails = countingReads(g.c, &asked), errAway
	for round := range 3 {
		asked = 0
		if failed := g.failing(namespaces); failed != namespaces || asked > 3*namespaces {
			t.Errorf("in round %d %d of %d looks fail, after %d reads", round, failed, namespaces, asked)
		}
		if round < 2 {
			g.now = g.now.Add(decideAgain)
		}
	}
	g.storeFails, g.now = nil, g.now.Add(decideAgain-1)
	if failed := g.failing(namespaces); failed != namespaces {
		t.Errorf("a moment later %d of %d looks fail", failed, namespaces)
	}
	g.now = g.now.Add(1)
	if failed := g.failing(namespaces); failed > 0 || !g.removal().Held {
		t.Errorf("then %d looks fail: %+v", failed, g.removal())
	}
}

// Each place asks for a decision, and to know whether the caches are behind is a read of the API server.
func TestThatTheCachesAreBehindIsFoundOutOnceForAllPlaces(t *testing.T) {
	const namespaces = 5
	g := newRig(t, namespaces, credential("company", "r.example"))
	g.alsoThere("other")
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(namespaces)
	g.selects("other")
	g.behind()
	g.selects("shop") // it was corrected, and the cache does not show it yet
	g.all(namespaces)
	g.now = g.now.Add(settle)
	asked := 0
	g.r.Writer = countingReads(g.c, &asked)
	for round, want := range []int{1, 1, 2} {
		if g.all(namespaces); asked != want || g.having(namespaces, "r.example") != namespaces {
			t.Errorf("in round %d the API server was asked %d times, want %d; %d have the entry", round, asked, want, g.having(namespaces, "r.example"))
		}
		g.now = g.now.Add(decideAgain / 2)
	}
}
