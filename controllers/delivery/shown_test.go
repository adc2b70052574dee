package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// live is what a rig reads past the caches.
type live struct {
	reads []string
	fails string // kind of which no read succeeds
}

// reading has what is read past the caches noted from here on.
func (g *rig) reading() *live {
	seen := &live{}
	note := func(verb string, object any, kind string) error {
		if kind == "" {
			kind = strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1alpha1.")
		}
		seen.reads = append(seen.reads, verb+" "+kind)
		if kind == seen.fails {
			return errAway
		}
		return nil
	}
	g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if err := note("get", into, into.GetObjectKind().GroupVersionKind().Kind); err != nil {
				return err
			}
			return c.Get(ctx, key, into, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
			if err := note("list", into, into.GetObjectKind().GroupVersionKind().Kind); err != nil {
				return err
			}
			return c.List(ctx, into, options...)
		},
	})
	return seen
}

func TestWhatIsTakenAwayIsAsTheServerHasIt(t *testing.T) {
	update := func(g *rig, change func(*corev1.Namespace)) {
		namespace := g.namespace()
		change(namespace)
		if err := g.c.Update(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		shown func(*v1alpha1.RegistryCredential) // how the cache shows it
		does  func(g *rig)                       // after the cache was filled
		same  bool
		fails string
	}{
		{"all is as it is shown", nil, nil, true, ""},
		{"it was created again", func(c *v1alpha1.RegistryCredential) { c.UID = "before" }, nil, false, ""},
		{"its spec is another one", func(c *v1alpha1.RegistryCredential) { c.Generation-- }, nil, false, ""},
		{"it is being deleted, which is not shown yet", nil, func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Generation--; c.Finalizers = []string{v1alpha1.Finalizer} })
			g.remove()
		}, false, ""},
		{"it is being deleted, which is shown", going(v1alpha1.DeletionDelete), func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Generation--; c.Finalizers = []string{v1alpha1.Finalizer} })
			g.remove()
		}, true, ""},
		{"it is gone", nil, func(g *rig) { g.remove() }, false, ""},
		{"it cannot be read", nil, nil, false, "RegistryCredential"},
		{"a namespace is not selected any more", nil, func(g *rig) { update(g, func(n *corev1.Namespace) { n.Labels = nil }) }, false, ""},
		{"a namespace has other labels, and is selected all the same", nil, func(g *rig) { update(g, func(n *corev1.Namespace) { n.Labels["more"] = "x" }) }, true, ""},
		{"a namespace is gone", nil, func(g *rig) {
			if err := g.c.Delete(t.Context(), g.namespace()); err != nil {
				t.Fatal(err)
			}
		}, true, ""},
		{"a namespace was created again", nil, func(g *rig) { update(g, func(n *corev1.Namespace) { n.UID = "again" }) }, false, ""},
		{"another namespace than those that lose something has other labels", nil, func(g *rig) { g.relabelOne("n-00009", "none") }, true, ""},
	} {
		for _, namespaces := range []int{fewNamespaces, fewNamespaces + 1} {
			t.Run(fmt.Sprintf("%s, for %d namespaces", test.name, namespaces), func(t *testing.T) {
				g := newRig(t, 10, credential("company", "r.example"))
				object := g.company()
				if test.shown != nil {
					test.shown(object)
				}
				g.oldNamespaces()
				if test.does != nil {
					test.does(g)
				}
				seen := g.reading()
				seen.fails = test.fails
				var names []string
				for i := range namespaces {
					names = append(names, fmt.Sprintf("n-%05d", i))
				}
				same, err := g.r.asShown(t.Context(), object, names)
				if same != test.same || (err != nil) != (test.fails != "") {
					t.Errorf("as it is shown: %t, %v", same, err)
				}
				if lists := slices.Contains(seen.reads, "list NamespaceList"); test.same && lists != (namespaces > fewNamespaces) {
					t.Errorf("read is %q", seen.reads)
				}
			})
		}
	}
}

func TestNothingIsAsItIsShownWhereANamespaceCannotBeRead(t *testing.T) {
	for kind, names := range map[string][]string{"Namespace": {"n-00000"}, "NamespaceList": {"a", "b", "c", "d", "e", "f", "g", "h", "i"}} {
		g := newRig(t, 1, credential("company", "r.example"))
		g.reading().fails = kind
		if same, err := g.r.asShown(t.Context(), g.company(), names); same || !errors.Is(err, errAway) {
			t.Errorf("%s: %t, %v", kind, same, err)
		}
	}
	g := newRig(t, 1, credential("company", "r.example"))
	object, writer := g.company(), g.r.Writer
	g.unreadable("Namespace") // of the cache
	g.r.Writer = writer
	if same, err := g.r.asShown(t.Context(), object, []string{"n-00000"}); same || !errors.Is(err, errAway) {
		t.Errorf("the cache: %t, %v", same, err)
	}
	g = newRig(t, 1, credential("company", "r.example"))
	g.oldNamespaces()
	g.alsoThere("shop")
	if same, err := g.r.asShown(t.Context(), g.company(), []string{"of-shop"}); same || err != nil {
		t.Errorf("a namespace that the cache does not show: %t, %v", same, err)
	}
}

// What nobody knows to be delivered stays where the server cannot be asked, or has another spec.
func TestWhatNobodyKnowsToBeDeliveredStaysAsLongAsTheServerIsNotHeard(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	f := facts{place: first, namespace: g.namespace()}
	if stays, err := g.r.staysUnknown(t.Context(), &f, g.company()); stays || err != nil || len(f.waits) > 0 {
		t.Errorf("as it is shown: %t, %v, %v", stays, err, f.waits)
	}
	object := g.company()
	object.Generation--
	if stays, err := g.r.staysUnknown(t.Context(), &f, object); !stays || err != nil || f.after() != decideAgain {
		t.Errorf("a spec of before: %t, %v, %v", stays, err, f.waits)
	}
	g.reading().fails = "RegistryCredential"
	f.waits = nil
	if stays, err := g.r.staysUnknown(t.Context(), &f, g.company()); !stays || !errors.Is(err, errAway) || len(f.waits) > 0 {
		t.Errorf("not heard: %t, %v, %v", stays, err, f.waits)
	}
}

func TestWhatADecisionSaysOfAPlace(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	waiting := removal.State{Pending: &removal.Pending{ID: "abc", Parts: wholeIn("n-00000")}}
	granting := removal.State{Granted: wholeIn("n-00000"), GrantTime: now}
	for _, test := range []struct {
		name string
		k    *keeper
		want verdict
	}{
		{"it is granted", &keeper{losing: wholly(first), decided: now, state: granting}, verdict{granted: true}},
		{"it is granted by what nobody looked at yet", &keeper{losing: wholly(first), decided: now, state: granting, inherited: true}, verdict{after: decideAgain}},
		{"it waits for a person", &keeper{losing: wholly(first), decided: now, state: waiting, outcome: delivered.Removal{ID: "abc"}}, verdict{id: "abc"}},
		{"it waits for a person, and the caches are behind", &keeper{losing: wholly(first), decided: now, state: waiting, behind: true, outcome: delivered.Removal{ID: "abc"}}, verdict{id: "abc", after: decideAgain}},
		{"others wait for a person", &keeper{losing: wholly(first), decided: now, state: removal.State{Pending: &removal.Pending{ID: "abc", Parts: wholeIn("other")}}, outcome: delivered.Removal{ID: "abc"}},
			verdict{id: "abc", after: decideAgain}},
		{"a part of it waits for a person", &keeper{losing: wholly(first), decided: now, state: removal.State{Pending: &removal.Pending{ID: "abc",
			Parts: removal.PartsOf(removal.Part{Namespace: "n-00000", Secret: "regcred", Keys: []string{"s.example"}})}}, outcome: delivered.Removal{ID: "abc"}},
			verdict{id: "abc", after: decideAgain}},
		{"nothing was decided for it", &keeper{losing: wholly(first), decided: now}, verdict{after: decideAgain}},
	} {
		if got := test.k.verdict(first, now); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
