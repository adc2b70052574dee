package delivery

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/removal"
)

// What an operator that ran before kept waits until it is known whether it still is to be removed.
func TestHowLongWhatWasKeptOfARemovalIsTold(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration
		found bool // a place was found to lose something since the start
		held  bool
	}{
		{"at the start", 0, false, true},
		{"before all places were looked at", settleAtMost - 1, false, true},
		{"when they were, and nothing was found to be lost", settleAtMost, false, false},
		{"when they were, and one was found that loses something", settleAtMost, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, _ := delivers(t, nil)
			object := g.company()
			k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
			k.began = g.now
			k.state.Pending = &removal.Pending{ID: "abc", Parts: wholeIn("n-00000", "gone"), Namespaces: 2}
			if test.found {
				k.losing[first] = wholeOf(first)
			}
			g.now = g.now.Add(test.after)
			got, err := g.r.pending(t.Context(), object)
			want := delivered.Removal{Holding: 1}
			if test.held {
				want = delivered.Removal{Holding: 1, Losing: 2, Held: true, ID: "abc"}
			}
			if err != nil || got != want {
				t.Errorf("%+v, want %+v: %v", got, want, err)
			}
		})
	}
}

// Nothing else has the object looked at when the time is over.
func TestAnObjectOfWhichARemovalWasKeptIsLookedAtWhenTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := delivers(t, nil)
		looked := make(chan string, 9)
		g.r.Board = delivered.NewBoard(func(name string) { looked <- name })
		object := g.company()
		g.r.keepers.of(object, g.r.Store.Removals, g.now).state.Pending = &removal.Pending{ID: "abc"}
		for range 2 {
			if _, err := g.r.pending(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if time.Sleep(settleAtMost); len(looked) > 0 {
			t.Errorf("it is looked at before all places were: %q", <-looked)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if times := len(looked); times != 1 || <-looked != "company" {
			t.Errorf("it is looked at %d times", times)
		}
	})
}

// A place that refuses to be changed holds a deletion for refusedFor. One that only waits for its turn, or for a person, does so as long as it does.
func TestHowLongAPlaceHoldsADeletion(t *testing.T) {
	for _, test := range []struct {
		reason string
		after  time.Duration
		want   bool
	}{
		{v1alpha1.ReasonForeignSecret, refusedFor - 1, true},
		{v1alpha1.ReasonForeignSecret, refusedFor, false},
		{v1alpha1.ReasonContested, refusedFor, false},
		{"", refusedFor, true},
		{v1alpha1.ReasonRemovalUnconfirmed, refusedFor, true},
		{v1alpha1.ReasonProgressing, refusedFor, true},
		{v1alpha1.ReasonWriteFailed, refusedFor, true},
	} {
		g := newRig(t, 0)
		object := credential("company", "r.example")
		object.DeletionTimestamp = &metav1.Time{Time: g.now}
		g.r.Board.Post(first, map[string]delivered.Delivery{"company": {Reason: test.reason}})
		g.now = g.now.Add(test.after)
		if got := g.r.detains(object, first); got != test.want {
			t.Errorf("%q after %s: %t", test.reason, test.after, got)
		}
	}
}

// fewNames is an operator that was given a few names.
type fewNames struct {
	everyName
	names []string
}

func (f fewNames) Names() []string          { return f.names }
func (f fewNames) Allowed(name string) bool { return slices.Contains(f.names, name) }

// That nothing is left is believed to the API server, which is asked for the names that the operator was given.
func TestWhichNamespacesHoldWhatIsToBeRemoved(t *testing.T) {
	for _, test := range []struct {
		name   string
		names  []string // none for all
		change func(g *rig, secret *corev1.Secret)
		want   int
	}{
		{"one that has an entry", nil, nil, 1},
		{"one that has an entry, under a name that was given", []string{"other", "regcred"}, nil, 1},
		{"none under the names that were given", []string{"other"}, nil, 0},
		{"one that has entries of others alone", nil, func(_ *rig, s *corev1.Secret) {
			s.Annotations[v1alpha1.SourcesAnnotation] = pullsecret.Sources{"other": {Keys: []string{"r.example"}}}.String()
		}, 0},
		{"one whose Secret is ours no more", []string{"regcred"}, func(_ *rig, s *corev1.Secret) { s.Labels = nil }, 0},
		{"one that is gone", nil, func(g *rig, _ *corev1.Secret) {
			if err := g.c.Delete(t.Context(), g.namespace()); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"one that is being deleted", nil, func(g *rig, _ *corev1.Secret) {
			namespace := g.namespace()
			namespace.Finalizers = []string{"theirs.example/x"}
			if err := errors.Join(g.c.Update(t.Context(), namespace), g.c.Delete(t.Context(), namespace)); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"one that cannot be read", nil, func(g *rig, _ *corev1.Secret) { g.unreadable("Namespace") }, 1},
		{"one that refuses", nil, func(g *rig, _ *corev1.Secret) {
			g.r.Board.Post(first, map[string]delivered.Delivery{"company": {Reason: v1alpha1.ReasonForeignSecret}})
			g.now = g.now.Add(refusedFor)
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1)
			object := credential("company", "r.example")
			object.DeletionTimestamp = &metav1.Time{Time: g.now}
			secret := g.there("regcred", true)
			if test.change != nil {
				test.change(g, secret)
				if err := g.c.Update(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
			}
			if test.names != nil {
				g.r.Secrets = fewNames{everyName{g.c}, test.names}
			}
			if got, err := g.r.holdingNow(t.Context(), object); err != nil || len(got) != test.want || got["n-00000"] != (test.want == 1) {
				t.Errorf("%v: %v", got, err)
			}
		})
	}
}

// What this process decided counts, and what was kept before no more.
func TestWhatWasDecidedOfARemovalIsToldAndNotWhatWasKeptBefore(t *testing.T) {
	g, _ := delivers(t, nil)
	object := g.company()
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	k.state.Pending = &removal.Pending{ID: "abc", Parts: wholeIn("n-00000", "gone"), Namespaces: 2}
	k.losing[first], k.decided, k.outcome = wholeOf(first), g.now, delivered.Removal{Losing: 1, Held: true, ID: "def"}
	if got, err := g.r.pending(t.Context(), object); err != nil || got != (delivered.Removal{Holding: 1, Losing: 1, Held: true, ID: "def"}) {
		t.Errorf("%+v, %v", got, err)
	}
	k.behind = true
	if got, err := g.r.pending(t.Context(), object); err != nil || got != (delivered.Removal{Holding: 1, Losing: 2, Held: true, ID: "abc"}) {
		t.Errorf("while the caches are behind: %+v, %v", got, err)
	}
}
