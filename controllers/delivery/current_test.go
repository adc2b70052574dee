package delivery

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestOrderOfADeselectionAndANewValue: what deselects a namespace comes between two reads of one look at it, and with it the value that was
// made for the others. A namespace that was served already keeps its entries until their removal is decided, and is given no others.
func TestOrderOfADeselectionAndANewValue(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  func(read any) bool
		change func(*rig)
	}{
		{"the selector changes after the RegistryCredentials were listed", isList, (*rig).deselect},
		{"the namespace's labels change after it was read", isNamespace, (*rig).unlabel},
		{"the namespace's labels change after the RegistryCredentials were listed", isList, (*rig).unlabel},
	} {
		for _, served := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, served before: %t", test.name, served), func(t *testing.T) {
				g := newRig(t, 1, credential("company", "r.example"))
				g.publish(record(t, "company", "1-x", "one", "r.example"))
				if served {
					g.all(1)
				}
				seen := recording(g)
				happened := g.afterRead(test.after, func() {
					test.change(g)
					g.publish(record(t, "company", "2-x", "two", "new.example"))
				})
				g.all(1)
				if !*happened {
					t.Fatal("nothing was read, so that this test finds nothing")
				}
				g.leave()
				for _, made := range seen.requests {
					if strings.Contains(made.content(t), "new.example") {
						t.Errorf("the new value is written for who was selected before: %s", made)
					}
				}
				if s := g.secret("n-00000"); s != nil {
					t.Errorf("nobody selects it, and there is %v", s)
				}
			})
		}
	}
}

// content is the docker config that a request sends, empty where it sends none.
func (r request) content(t *testing.T) string {
	t.Helper()
	data, _ := r.sent["data"].(map[string]any)
	encoded, _ := data[corev1.DockerConfigJsonKey].(string)
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func isList(read any) bool      { _, is := read.(*v1alpha1.RegistryCredentialList); return is }
func isNamespace(read any) bool { _, is := read.(*corev1.Namespace); return is }

// unlabel takes the first namespace out of what is selected.
func (g *rig) unlabel() {
	g.t.Helper()
	g.alsoThere("shop")
	var namespace corev1.Namespace
	if err := g.c.Get(context.Background(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
		g.t.Fatal(err)
	}
	namespace.Labels = nil
	if err := g.c.Update(context.Background(), &namespace); err != nil {
		g.t.Fatal(err)
	}
}

// afterRead has something happen when delivery has read something from its cache for the first time.
func (g *rig) afterRead(is func(any) bool, work func()) *bool {
	happened := false
	then := func(read any, err error) error {
		if err == nil && is(read) && !happened {
			happened = true
			work()
		}
		return err
	}
	g.r.Cluster = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			return then(into, c.Get(ctx, key, into, options...))
		},
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
			return then(into, c.List(ctx, into, options...))
		},
	})
	return &happened
}

// behind has delivery's cache go on showing the RegistryCredential as it is now.
func (g *rig) behind() {
	g.t.Helper()
	var shown v1alpha1.RegistryCredentialList
	if err := g.c.List(context.Background(), &shown); err != nil {
		g.t.Fatal(err)
	}
	g.r.Cluster = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
			if list, is := into.(*v1alpha1.RegistryCredentialList); is {
				shown.DeepCopyInto(list)
				return nil
			}
			return c.List(ctx, into, options...)
		},
	})
}

// TestAValueIsNotGivenToWhomAnOlderSpecSelects: another process was the leader a moment ago, and put a value in use for a spec that the cache
// of this one does not show yet.
func TestAValueIsNotGivenToWhomAnOlderSpecSelects(t *testing.T) {
	next := record(t, "company", "2-x", "two", "r.example")
	next.Generation = 2
	for _, test := range []struct {
		name   string
		change func(*rig)
		want   int
	}{
		{"it was put in use for a spec that no longer selects the namespace", (*rig).deselect, 0},
		{"it was put in use for a spec that selects it still", func(g *rig) { g.edit(func(*v1alpha1.RegistryCredential) {}) }, 1},
		{"the cluster was set back to a time before, and the record was not", func(*rig) {}, 1},
		{"the RegistryCredential is gone", func(g *rig) { g.remove() }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1, credential("another", "a.example"), credential("company", "r.example"), credential("other", "o.example"))
			g.behind()
			test.change(g)
			g.publish(next, record(t, "another", "1-x", "a", "a.example"), record(t, "other", "1-x", "o", "o.example"))
			if _, err := g.reconcile("n-00000"); err != nil {
				t.Errorf("the look gave: %v", err)
			}
			if got := g.having(1, `"two"`); got != test.want {
				t.Errorf("%d namespaces have the new value, want %d", got, test.want)
			}
			if !g.has(0, `"a.example"`) || !g.has(0, `"o.example"`) {
				t.Error("the others are not served")
			}
		})
	}
	t.Run("it cannot be read what selects the namespace now", func(t *testing.T) {
		g := newRig(t, 1, credential("company", "r.example"))
		g.behind()
		g.deselect()
		g.publish(next)
		g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return errAway
			},
		})
		if _, err := g.reconcile("n-00000"); !errors.Is(err, errAway) || g.having(1, `"two"`) != 0 {
			t.Errorf("it is given the value by what it was before: %v", err)
		}
	})
	t.Run("one that was created again under the same name has published nothing", func(t *testing.T) {
		g := newRig(t, 1, credential("company", "r.example"))
		other := next
		other.UID = "of one before"
		g.publish(other)
		if _, err := g.reconcile("n-00000"); err != nil || g.having(1, `"two"`) != 0 {
			t.Errorf("it is given the value of one before: %v", err)
		}
		g.r.Writer = nil // nothing is read past the cache for it once more, and nothing is written
		if _, err := g.reconcile("n-00000"); err != nil || g.having(1, `"two"`) != 0 {
			t.Errorf("it is given the value of one before: %v", err)
		}
	})
}

// TestNothingIsTakenByARegistryCredentialThatIsNoMore: another process was the leader a moment ago, and served a RegistryCredential that was created
// again under the same name. The cache of this one shows the one before, which selects others.
func TestNothingIsTakenByARegistryCredentialThatIsNoMore(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.relabel(1) // the one before selects the second namespace, the other one both
	g.behind()
	stale := g.r.Cluster
	g.remove()
	again := credential("company", "r.example")
	again.UID, again.Spec.Target.NamespaceSelector = "again", nil
	again.Spec.Target.Namespaces = []v1alpha1.NamespaceName{"n-00000", "n-00001"}
	if err := g.c.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	served := record(t, "company", "1-x", "one", "r.example")
	served.UID, served.Generation = "again", 1
	g.r.Cluster = g.c
	g.publish(served)
	g.all(2)
	if got := g.having(2, "r.example"); got != 2 {
		t.Fatalf("%d of 2 have the entry", got)
	}
	g.restart()
	g.r.Cluster = stale
	if all, err := g.r.credentials(t.Context(), g.r.Store.Snapshot()); err != nil || len(all) != 1 || all[0].UID != "again" {
		t.Errorf("it goes by what is no more: %+v (%v)", all, err)
	}
	for range 4 {
		g.all(2)
		g.now = g.now.Add(settle)
	}
	if got := g.having(2, "r.example"); got != 2 {
		t.Errorf("%d of 2 have the entry: the others lost it by a spec that is no more", got)
	}
}

func (g *rig) remove() {
	g.t.Helper()
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(context.Background(), client.ObjectKey{Name: "company"}, &object); err != nil {
		g.t.Fatal(err)
	}
	if err := g.c.Delete(context.Background(), &object); err != nil {
		g.t.Fatal(err)
	}
}

// oldNamespaces has delivery's cache go on showing the namespaces as they are now.
func (g *rig) oldNamespaces() {
	g.t.Helper()
	shown := map[string]corev1.Namespace{}
	var all corev1.NamespaceList
	if err := g.c.List(context.Background(), &all); err != nil {
		g.t.Fatal(err)
	}
	for _, one := range all.Items {
		shown[one.Name] = one
	}
	g.r.Cluster = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if namespace, is := into.(*corev1.Namespace); is {
				old, there := shown[key.Name]
				if !there {
					return apierrors.NewNotFound(corev1.Resource("namespaces"), key.Name)
				}
				old.DeepCopyInto(namespace)
				return nil
			}
			return c.Get(ctx, key, into, options...)
		},
	})
}

// TestNothingIsTakenByWhatACacheStillShows: a cache is behind by longer than a removal takes to settle, as that of a process that just became the leader
// can be.
func TestNothingIsTakenByWhatACacheStillShows(t *testing.T) {
	back := func(g *rig) {
		g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shop" })
	}
	for _, test := range []struct {
		name         string
		before, then func(*rig)
		want         int
	}{
		{"a spec that was corrected since", func(g *rig) { g.deselect(); g.behind() }, back, 2},
		{"a RegistryCredential that is gone since", func(g *rig) { g.deselect(); g.behind() }, (*rig).remove, 2},
		{"labels that were corrected since", func(g *rig) { g.unlabel(); g.oldNamespaces() }, func(g *rig) {
			if err := g.c.Update(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n-00000", UID: "n-00000", Labels: map[string]string{"team": "shop"}}}); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"a spec that is as it is shown", func(g *rig) { g.deselect(); g.behind() }, func(*rig) {}, 0},
		{"labels that are as they are shown", func(g *rig) { g.unlabel(); g.oldNamespaces() }, func(*rig) {}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 2, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			g.all(2)
			test.before(g)
			test.then(g)
			for range 4 {
				g.all(2)
				g.now = g.now.Add(settle)
			}
			if got := g.having(2, "r.example"); got != test.want {
				t.Fatalf("%d of 2 have the entry, want %d", got, test.want)
			}
			if wait, err := g.reconcile("n-00000"); test.want == 2 && (err != nil || wait != decideAgain) {
				t.Errorf("it is looked at again after %s (%v), want %s", wait, err, decideAgain)
			}
		})
	}
}

// What another process delivered after the cache of this one fell behind is known to nobody here, and is no record that somebody forged.
func TestWhatAnotherLeaderJustDeliveredStays(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.deselect()
	g.behind()
	g.selects("shop")
	g.forge("n-00000", "r.example") // as that one did
	for range 3 {
		wait, err := g.reconcile("n-00000")
		if got := g.having(1, "r.example"); err != nil || got != 1 || wait != decideAgain {
			t.Fatalf("%d of 1 have the entry, looked at again after %s: %v", got, wait, err)
		}
		g.now = g.now.Add(settle)
	}
	g.r.Cluster = g.c
	if _, err := g.reconcile("n-00000"); err != nil || g.having(1, `"one"`) != 1 {
		t.Errorf("the cache is not behind any more, and what is published is not there: %v", err)
	}
}

// What the leader before granted is not carried out by a cache that does not show yet that it was taken back.
func TestWhatALeaderBeforeGrantedIsNotTakenByWhatACacheStillShows(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	g.behind()
	stale := g.r.Cluster
	g.selects("shop")
	g.restart()
	g.r.Cluster = stale
	for range 4 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	if got := g.having(namespaces, "r.example"); got != namespaces-1 {
		t.Errorf("%d of %d have the entry: others lost it by a spec that is no more", got, namespaces-1)
	}
	if wait, err := g.reconcile("n-00001"); err != nil || wait != decideAgain {
		t.Errorf("it is looked at again after %s (%v), want %s", wait, err, decideAgain)
	}
	g.r.Cluster = g.c
	if g.all(namespaces); g.having(namespaces, "r.example") != namespaces {
		t.Error("the cache is not behind any more, and not all are served")
	}
}

// A cache that is behind goes on showing the one before: who asked once that there is another one asks again, as long as the cache shows it.
func TestTheOneBeforeInACacheThatIsBehindIsNotTakenForTheOneAfter(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.behind()
	again := g.company()
	g.remove()
	again.UID, again.ResourceVersion = "again", ""
	if err := g.c.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	kept := record(t, "company", "2-x", "two", "r.example")
	kept.UID = again.UID
	g.publish(kept)
	for range 2 {
		list, err := g.r.credentials(t.Context(), g.r.Store.Snapshot())
		if err != nil || len(list) != 1 || list[0].UID != again.UID {
			t.Fatalf("%+v, %v", list, err)
		}
	}
}
