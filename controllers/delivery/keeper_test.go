package delivery

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// What one command relabels is one removal: it is decided when nothing more was found to be lost for a while, and not later than settleAtMost.
func TestWhenARemovalIsDecided(t *testing.T) {
	type look struct {
		after   time.Duration
		place   string
		granted bool
		again   time.Duration
	}
	for _, test := range []struct {
		name  string
		looks []look
	}{
		{"nothing more is lost", []look{{0, "n-00000", false, settle}, {time.Second, "n-00000", false, settle - time.Second}, {settle - 1, "n-00000", false, 1}, {settle, "n-00000", true, 0}}},
		{"another place comes, and both wait for it", []look{
			{0, "n-00000", false, settle}, {2 * time.Second, "n-00001", false, settle}, {settle, "n-00000", false, 2 * time.Second},
			{2*time.Second + settle, "n-00000", true, 0}, {2*time.Second + settle, "n-00001", true, 0},
		}},
		{"places come as long as it may wait", []look{
			{0, "n-00000", false, settle}, {settleAtMost - time.Second, "n-00001", false, time.Second}, {settleAtMost - 1, "n-00000", false, 1}, {settleAtMost, "n-00000", true, 0},
		}},
		{"a place comes just after the decision, and waits for the next one", []look{
			{0, "n-00000", false, settle}, {settle, "n-00000", true, 0}, {settle, "n-00001", false, settle}, {settle, "n-00000", true, 0}, {2 * settle, "n-00001", true, 0},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 2, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			g.all(2)
			object := g.company()
			start := g.now
			lost := map[string]bool{}
			for i, look := range test.looks {
				g.now = start.Add(look.after)
				if !lost[look.place] {
					lost[look.place] = true
					g.relabelOne(look.place, "nobody")
					g.alsoThere("shop") // somebody is selected all the time
				}
				got, err := g.r.mayLose(t.Context(), object, delivered.Place{Namespace: look.place, Name: "regcred"})
				if err != nil || got.granted != look.granted || got.after != look.again {
					t.Errorf("look %d, after %s: %+v, want granted %t, again after %s: %v", i, look.after, got, look.granted, look.again, err)
				}
			}
		})
	}
}

func (g *rig) relabelOne(namespace, team string) {
	g.t.Helper()
	var all corev1.NamespaceList
	if err := g.c.List(g.t.Context(), &all); err != nil {
		g.t.Fatal(err)
	}
	for i := range all.Items {
		if all.Items[i].Name == namespace {
			all.Items[i].Labels["team"] = team
			if err := g.c.Update(g.t.Context(), &all.Items[i]); err != nil {
				g.t.Fatal(err)
			}
		}
	}
}

// A decision to hold serves all places for a moment; what a person changes counts at once.
func TestWhenARemovalThatWaitsIsDecidedAgain(t *testing.T) {
	confirm := func(g *rig) {
		id := g.removal().ID
		g.edit(func(c *v1alpha1.RegistryCredential) {
			c.Generation-- // an annotation changes none
			metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, id)
		})
	}
	for _, test := range []struct {
		name    string
		change  func(*rig)
		after   time.Duration
		decided bool
		granted bool
	}{
		{"at once", func(*rig) {}, 0, false, false},
		{"just before the moment is over", func(*rig) {}, decideAgain - 1, false, false},
		{"when it is over", func(*rig) {}, decideAgain, true, false},
		{"its spec was changed", func(g *rig) { g.edit(func(*v1alpha1.RegistryCredential) {}) }, 1, true, false},
		{"it was confirmed", confirm, 1, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 2, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			g.all(2)
			g.label("none") // nobody is selected any more
			g.all(2)
			g.now = g.now.Add(settle)
			g.all(2)
			if !g.removal().Held {
				t.Fatalf("%+v", g.removal())
			}
			k := g.r.keepers.m["company"]
			at := k.decided
			test.change(g)
			g.now = at.Add(test.after)
			got, err := g.r.mayLose(t.Context(), g.company(), first)
			if err != nil || got.granted != test.granted || got.id == "" && !test.granted || got.after != 0 {
				t.Errorf("%+v, %v", got, err)
			}
			if decided := !k.decided.Equal(at); decided != (test.decided && test.after > 0) {
				t.Errorf("it is decided again: %t", decided)
			}
		})
	}
}

// A place that is found to lose something when others were granted a moment ago is not taken for one that waits for a person.
func TestAPlaceThatADecisionDidNotKnowOfWaitsForTheNextOne(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	g.alsoThere("shop")
	g.relabelOne("n-00000", "nobody")
	object, other := g.company(), delivered.Place{Namespace: "n-00001", Name: "regcred"}
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	k.losing, k.first, k.grown = wholly(first, other), g.now, g.now
	g.now = g.now.Add(settle)
	if got, err := g.r.mayLose(t.Context(), object, first); err != nil || !got.granted {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := g.r.mayLose(t.Context(), object, other); err != nil || got != (verdict{after: decideAgain}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// The object is looked at when what it waits for changes, and not each time when it is decided.
func TestARemovalThatBeginsToWaitIsToldOnce(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	g.label("none")
	object, looked := g.company(), 0
	g.r.Board = delivered.NewBoard(func(string) { looked++ })
	decide := func(want int, when string) {
		t.Helper()
		looked = 0
		if err := g.r.decide(t.Context(), object, g.r.keepers.of(object, g.r.Store.Removals, g.now)); err != nil || looked != want {
			t.Errorf("%s it is looked at %d times, want %d: %v", when, looked, want, err)
		}
	}
	decide(1, "when it begins to wait")
	decide(0, "while it waits")
	g.label("shop")
	decide(1, "when it is taken back")
	decide(0, "after that")
}

func TestWhatIsKnownOfARemovalIsOfOneObject(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	kept := func(uid types.UID) func(string) removal.State {
		return func(string) removal.State { return removal.State{UID: uid, Serial: 7} }
	}
	var k keepers
	company, other := credential("company"), credential("other")
	mine := k.of(company, kept("company"), now)
	theirs := k.of(other, kept("other"), now)
	if mine.state.Serial != 7 || !mine.began.Equal(now) || theirs == mine {
		t.Errorf("%+v", mine)
	}
	if k.of(company, kept("company"), now.Add(time.Hour)) != mine || k.of(other, kept("other"), now) != theirs {
		t.Error("what is known is forgotten")
	}
	again := credential("company")
	again.UID = "another"
	if fresh := k.of(again, kept("company"), now); fresh == mine || fresh.state.Serial != 0 || fresh.state.UID != "another" {
		t.Errorf("one of the same name that was made again begins with %+v", fresh.state)
	}
	if k.forget("company"); len(k.m) != 1 {
		t.Errorf("%d are known", len(k.m))
	}
}

// A namespace that is gone loses nothing any more: nobody waits for it.
func TestAPlaceWhoseNamespaceIsGoneIsNotWaitedFor(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	g.label("none")
	g.all(2)
	if err := g.c.Delete(t.Context(), g.namespace()); err != nil {
		t.Fatal(err)
	}
	g.all(1)
	if losing := g.r.keepers.m["company"].losing; len(losing) != 1 || losing[first].Namespace != "" {
		t.Errorf("%v", losing)
	}
	if places := g.r.Board.Places("company"); slices.Contains(places, first) {
		t.Errorf("it is told of a namespace that is gone: %v", places)
	}
}
