package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
)

// unanswered has writes of Secrets fail from here on: carried out, with the answer lost, or not carried out. It returns how to answer again.
func (g *rig) unanswered(carriedOut bool) (answer func()) {
	writer := g.r.Writer
	failing := func(object client.Object, write func() error) error {
		if _, is := object.(*corev1.Secret); !is {
			return write()
		}
		if !carriedOut {
			return errAway
		}
		return errors.Join(write(), errAway)
	}
	g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return failing(object, func() error { return c.Update(ctx, object, options...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return failing(object, func() error { return c.Delete(ctx, object, options...) })
		},
	})
	return func() { g.r.Writer = writer }
}

// A removal whose answer was lost is told of as any other, once; and one that was not carried out when it is.
func TestThePeopleOfANamespaceAreToldOfARemovalThatWasNotAnswered(t *testing.T) {
	for _, test := range []struct {
		name   string
		others bool // provide another registry in the same Secret, so that it stays
		what   string
	}{
		{"the Secret goes", false, "this Secret was deleted with its entry for r.example: "},
		{"the Secret stays", true, "the entry for r.example was taken out of this Secret: "},
	} {
		for _, carriedOut := range []bool{true, false} {
			t.Run(test.name+map[bool]string{true: ", carried out", false: ", not carried out"}[carriedOut], func(t *testing.T) {
				g := newRig(t, 2, credential("company", "r.example"), credential("other", "other.example"))
				told := g.telling()
				g.publish(record(t, "company", "1-x", "canary", "r.example"))
				if test.others {
					g.publish(record(t, "other", "1-y", "canary", "other.example"))
				}
				g.later(2)
				g.exclude("n-00000")
				g.all(2)
				g.now = g.now.Add(time.Minute)
				looked, answer := g.secret("n-00000"), g.unanswered(carriedOut)
				for range 2 {
					_, err := g.reconcile("n-00000")
					if has := g.having(1, `"r.example"`); (has == 0) != carriedOut || err == nil && !carriedOut {
						t.Fatalf("%d of 1 have the entry: %v", has, err)
					}
				}
				answer()
				g.later(2)
				if got := told(); len(got) != 1 || !strings.Contains(got[0], " Warning Removed Secret/n-00000/regcred RegistryCredential/company "+test.what) {
					t.Errorf("they are told %q", got)
				}
				var events eventsv1.EventList // which are of the Secret as it was: the same removal has the same name, whoever tells it
				if err := g.c.List(t.Context(), &events); err != nil || len(events.Items) == 0 || events.Items[0].Regarding.ResourceVersion != looked.ResourceVersion || events.Items[0].Regarding.UID != looked.UID {
					t.Errorf("told is of another version than %s: %+v", looked.ResourceVersion, events.Items)
				}
				if counted := g.r.Board.TakeRemoved("company"); counted != 1 {
					t.Errorf("%d namespaces are said to have lost it", counted)
				}
				if place := inFirst("regcred")[0]; g.r.memories.m[place] != nil && g.r.memories.m[place].untold != nil {
					t.Error("it is told of once more, perhaps")
				}
			})
		}
	}
}

// What became of an entry is not known where somebody made the Secret his own after a write that was not answered.
func TestNothingIsToldOfASecretThatIsSomebodysByNow(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"), credential("other", "other.example"))
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "r.example"), record(t, "other", "1-y", "canary", "other.example"))
	g.later(2)
	g.exclude("n-00000")
	g.all(2)
	g.now = g.now.Add(time.Minute)
	answer := g.unanswered(false)
	if _, err := g.reconcile("n-00000"); err == nil {
		t.Fatal("it is answered")
	}
	answer()
	theirs := g.secret("n-00000")
	theirs.Labels = nil
	if err := g.c.Update(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if g.later(2); len(told()) > 0 || g.r.Board.TakeRemoved("company") != 0 {
		t.Errorf("they are told %q", told())
	}
}

// Two registries that go from one Secret for two reasons, and that are in two other Secrets, are two events.
func TestTwoLossesOfOneSecretAreBothTold(t *testing.T) {
	third := credential("third", "more.example")
	third.Spec.Target.SecretName = "third"
	g := newRig(t, 1, credential("company", "r.example", "more.example"), third)
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "more.example", "r.example"), record(t, "third", "1-y", "canary", "more.example"))
	g.all(1)
	look := func(names ...string) {
		for _, place := range inFirst(names...) {
			if _, err := g.r.Reconcile(t.Context(), place); err != nil {
				t.Fatal(err)
			}
		}
	}
	look("third")
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretName, c.Spec.Registries = "pull", c.Spec.Registries[:1]
	})
	g.publish(record(t, "company", "2-x", "canary", "r.example"))
	look("pull")
	g.later(1)
	var got []string
	for _, line := range told() {
		_, what, _ := strings.Cut(line, "with its entry for ")
		what, _, _ = strings.Cut(what, ":")
		got = append(got, what+" in "+line[strings.LastIndex(line, "name Secret "):])
	}
	if want := []string{"more.example in name Secret third instead", "r.example in name Secret pull instead"}; !slices.Equal(got, want) {
		t.Errorf("they are told %q, want %q", got, want)
	}
}
