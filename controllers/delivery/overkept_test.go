package delivery

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"regcred.dev/regcred/internal/removal"
)

// mistaken has nothing more removed by a typo in the selector that nobody confirmed.
func (g *rig) mistaken(namespaces int) {
	g.t.Helper()
	for range 4 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	if got, held := g.having(namespaces, "r.example"), g.removal(); got != namespaces || !held.Held {
		g.t.Errorf("a typo takes the credential from %d of %d: %+v", namespaces-got, namespaces, held)
	}
}

// What is kept of a removal that is over grants nothing to the process that starts next, which finds the next mistake first.
func TestAConfirmationServesNoMistakeThatIsMadeWhileNoOperatorRuns(t *testing.T) {
	const namespaces = 10
	for name, ends := range map[string]func(*rig){
		"it was carried out":              func(g *rig) { g.all(namespaces); g.all(namespaces) },
		"it was taken back in the middle": func(g *rig) { g.selects("shop"); g.all(namespaces) },
		"it was taken back while no operator ran": func(g *rig) {
			g.selects("shop")
			g.restart()
			g.all(namespaces)
			g.removal() // as the look at the RegistryCredential does
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := confirmed(t, namespaces)
			ends(g)
			g.selects("shop")
			for range 2 {
				g.all(namespaces)
				g.now = g.now.Add(time.Minute)
			}
			if got := g.having(namespaces, "r.example"); got != namespaces {
				t.Fatalf("%d of %d are served again", got, namespaces)
			}
			if left := g.r.Store.Removals("company"); len(left.Granted) > 0 {
				t.Errorf("it is over, and kept is %+v", left)
			}
			g.selects("shpo")
			g.restart()
			g.mistaken(namespaces)
		})
	}
}

// A decision that could not be kept is made again of what is kept: that must not be what was granted for a removal that is over.
func TestAConfirmationServesNoMistakeWhoseDecisionCannotBeKept(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	for _, team := range []string{"shpo", "shop", "shop"} {
		g.selects(team)
		g.all(namespaces)
		g.now = g.now.Add(time.Minute)
	}
	if got := g.having(namespaces, "r.example"); got != namespaces {
		t.Fatalf("%d of %d are served again", got, namespaces)
	}
	g.selects("shpo")
	g.all(namespaces)
	g.now = g.now.Add(settle)
	g.storeFails = errAway
	if _, err := g.reconcile("n-00000"); !errors.Is(err, errAway) {
		t.Fatalf("the decision cannot be kept, and the look gives: %v", err)
	}
	g.storeFails, g.now = nil, g.now.Add(decideAgain)
	g.mistaken(namespaces)
}

// That a removal is over is known, also where that cannot be kept for a while.
func TestAConfirmationServesNoMistakeWhereItsEndCannotBeKept(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	g.selects("shop")
	g.storeFails = errAway
	failed := g.failing(namespaces)
	if got := g.having(namespaces, "r.example"); got != namespaces || failed == 0 {
		t.Fatalf("%d of %d are served again, and %d looks fail", got, namespaces, failed)
	}
	if _, err := g.r.Removal(t.Context(), g.company()); err == nil {
		t.Error("that it is over is not kept, and not tried again")
	}
	g.storeFails = nil
	g.selects("shpo")
	g.mistaken(namespaces)
}

// What another writer of the record was given by the server in a conflict is no news, and no grant of what is known to be over.
func TestWhatIsReadAgainOfARemovalGrantsNothingThatIsOver(t *testing.T) {
	granted := removal.State{UID: "company", Serial: 1, Granted: wholeIn("a", "b"), GrantTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	later, fewer := granted, granted
	later.GrantTime, fewer.Granted = granted.GrantTime.Add(1), wholeIn("a")
	for _, test := range []struct {
		name        string
		known, kept removal.State
		want        removal.Parts
	}{
		{"it is as it was", granted, granted, granted.Granted},
		{"less of it is known to go on", fewer, granted, fewer.Granted},
		{"nothing of it is known to go on", removal.State{UID: "company", GrantTime: granted.GrantTime}, granted, nil},
		{"less of it is kept", granted, fewer, fewer.Granted},
		{"another one is kept", fewer, later, later.Granted},
		{"nothing is known", removal.State{UID: "company"}, granted, granted.Granted},
	} {
		k := keeper{uid: "company", state: test.known}
		k.follow(test.kept)
		if !reflect.DeepEqual(k.state.Granted, test.want) || k.inherited != (len(test.want) > 0) || k.state.Serial != 1 {
			t.Errorf("%s: %+v, of which nothing is granted before a look: %t", test.name, k.state, k.inherited)
		}
		k.inherited = false
		if k.follow(test.kept); k.inherited {
			t.Errorf("%s: it is taken in twice", test.name)
		}
	}
}

// A decision is made of what another leader kept, also where another writer of the record was told of that.
func TestWhatAnotherLeaderKeptIsFollowedWhoeverWasToldOfIt(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(2)
	g.waiting(2)
	other := g.r.Store.Removals("company")
	other.Serial += 7
	if err := g.r.Store.KeepRemovals(t.Context(), "company", other); err != nil {
		t.Fatal(err)
	}
	g.selects("shop")
	g.all(2)
	if got := g.r.Store.Removals("company"); got.Serial != other.Serial+1 || got.Pending != nil {
		t.Errorf("what the other leader kept is written over: %+v", got)
	}
}

// That a part of what is granted was taken back is kept at once, and once. A namespace that waits for that is served all the same.
func TestWhatIsTakenBackOfARemovalThatGoesOnIsKept(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	g.restart()
	g.alsoThere("shpo")
	g.relabelOne("n-00009", "shpo") // which the selector has now
	g.storeFails = errAway
	if _, err := g.reconcile("n-00009"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.r.Removal(t.Context(), g.company()); !errors.Is(err, errAway) {
		t.Errorf("it cannot be kept, and that is not tried again: %v", err)
	}
	g.storeFails = nil
	if _, err := g.reconcile("n-00009"); err != nil {
		t.Fatal(err)
	}
	g.removal()
	kept := g.r.Store.Removals("company")
	if kept.Grants(regcredIn("n-00009")) || !kept.Grants(regcredIn("n-00008")) {
		t.Errorf("kept is %+v", kept)
	}
	g.storeFails = errAway
	g.removal()
}

// A removal that one namespace refuses is not over. What the others were granted is kept no longer all the same.
func TestAConfirmationServesNoMistakeBesideANamespaceThatRefuses(t *testing.T) {
	const namespaces = 10
	g := confirmed(t, namespaces)
	g.refusing("n-00009")
	_, _ = g.reconcile("n-00009")
	g.all(namespaces - 1)
	g.relabelOne("n-00009", "none")
	g.selects("shop")
	for range 2 {
		g.all(namespaces - 1)
		g.now = g.now.Add(time.Minute)
	}
	if _, err := g.reconcile("n-00009"); err == nil {
		t.Fatal("it does not refuse")
	}
	if kept := g.r.Store.Removals("company"); !kept.Grants(regcredIn("n-00009")) || kept.Grants(regcredIn("n-00001")) {
		t.Errorf("kept as granted are %v", kept.Granted)
	}
	g.selects("shpo")
	g.restart()
	for range 4 {
		g.all(namespaces)
		g.now = g.now.Add(settle)
	}
	if got, held := g.having(namespaces-1, "r.example"), g.removal(); got != namespaces-1 || !held.Held {
		t.Errorf("a typo takes the credential from %d of %d: %+v", namespaces-1-got, namespaces-1, held)
	}
}

func TestThatLessIsGrantedIsKeptNowAndThen(t *testing.T) {
	g := confirmed(t, 10)
	object := g.company()
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	writes := func() int {
		granted := 0
		for i := range 10 {
			if g.r.Store.Removals("company").Grants(regcredIn(fmt.Sprintf("n-%05d", i))) {
				granted++
			}
		}
		return granted
	}
	start := g.now
	for _, step := range []struct {
		after time.Duration
		want  int // are granted by what is kept
	}{{0, 9}, {time.Second, 9}, {settleAtMost - 1, 9}, {settleAtMost, 6}, {settleAtMost + 1, 6}} {
		place := inFirst("regcred")[0]
		for name := range k.losing {
			place = name
		}
		delete(k.losing, place)
		k.state = k.state.Without(place.Namespace, place.Name)
		if err := g.r.keepTakenBack(t.Context(), object, k, start.Add(step.after)); err != nil || writes() != step.want {
			t.Errorf("after %s %d are kept as granted, want %d: %v", step.after, writes(), step.want, err)
		}
	}
}

// Less is known here than another leader kept since: of another removal, which is not written over.
func TestThatLessIsGrantedIsKeptOfTheSameGrantAlone(t *testing.T) {
	g := confirmed(t, 10)
	object := g.company()
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	for place := range k.losing {
		k.state = k.state.Without(place.Namespace, place.Name)
		break
	}
	other := g.r.Store.Removals("company")
	other.Serial, other.GrantTime = other.Serial+1, g.now.Add(time.Minute)
	if err := g.r.Store.KeepRemovals(t.Context(), "company", other); err != nil {
		t.Fatal(err)
	}
	if err := g.r.keepTakenBack(t.Context(), object, k, g.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := g.r.Store.Removals("company"); got.Serial != other.Serial || !reflect.DeepEqual(got.Granted, other.Granted) || !got.GrantTime.Equal(other.GrantTime) {
		t.Errorf("kept is %+v, want %+v", got, other)
	}
}
