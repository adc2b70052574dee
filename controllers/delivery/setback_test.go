package delivery

import (
	"testing"
	"time"
)

// No decision waits for a clock that was set back: not the first one, not the next one, and not one that could not be made.
func TestADecisionDoesNotWaitForAClockThatWasSetBack(t *testing.T) {
	const namespaces = 2
	found := func(t *testing.T) *rig {
		g := newRig(t, namespaces, credential("company", "r.example"))
		g.publish(record(t, "company", "1-x", "one", "r.example"))
		g.all(namespaces)
		g.alsoThere("shop")
		g.relabelOne("n-00000", "none")
		g.all(namespaces)
		return g
	}
	for name, before := range map[string]func(*rig){
		"what is lost was found": func(*rig) {},
		"what is lost is found all the time": func(g *rig) {
			g.now = g.now.Add(settle - 1)
			g.relabelOne("n-00001", "none")
			g.all(namespaces)
		},
		"it could not be kept": func(g *rig) {
			g.now, g.storeFails = g.now.Add(settle), errAway
			if _, err := g.reconcile("n-00000"); err == nil {
				g.t.Fatal("it can be kept, so that this test finds nothing")
			}
			g.storeFails = nil
		},
		"it waits for a person, and a namespace is created that is selected": func(g *rig) {
			g.selects("shpo")
			for range 2 {
				g.all(namespaces)
				g.now = g.now.Add(settle)
			}
			if g.all(namespaces); !g.removal().Held {
				g.t.Fatal("it does not wait, so that this test finds nothing")
			}
			g.alsoThere("shpo")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := found(t)
			before(g)
			g.now = g.now.Add(-time.Hour)
			for range 3 {
				wait, _ := g.reconcile("n-00000")
				if wait > settle {
					t.Errorf("it is looked at again after %s", wait)
				}
				g.now = g.now.Add(settle)
			}
			if g.secret("n-00000") != nil {
				t.Error("it has the entry still")
			}
		})
	}
}

func TestNoTimeOfAKeeperLiesAhead(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{{}, now.Add(-1), now, now.Add(1), now.Add(time.Hour)} {
		want := at
		if at.After(now) {
			want = now
		}
		k := keeper{began: at, keptLess: at, first: at, grown: at, decided: at, faulted: at}
		k.correct(now)
		for i, got := range []time.Time{k.began, k.keptLess, k.first, k.grown, k.decided, k.faulted} {
			if !got.Equal(want) {
				t.Errorf("time %d is %s, want %s", i, got, want)
			}
		}
	}
}
