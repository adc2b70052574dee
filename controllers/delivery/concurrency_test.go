package delivery

import (
	"fmt"
	"testing"
	"time"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/test/racedetector"
)

func TestWhatPlacesShareIsUsedByManyAtOnce(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	company, other := credential("company"), credential("other")
	other.Spec.Target.SecretName = "other"
	var d departed
	racedetector.AtOnce(func(int) { d.leaves("company", now) }, func(int) { d.leaves("other", now) }, func(int) { d.note(company) }, func(int) { d.includes("company", now) })
	var e echoes
	look := func(place delivered.Place) func(int) {
		return func(n int) {
			e.begin(place)
			e.hold(place, fmt.Sprint(n), nil)
			e.end(place)
		}
	}
	racedetector.AtOnce(look(first), look(ofShop), func(int) { e.hold(delivered.Place{Namespace: "web", Name: "regcred"}, "1", nil) })
	var m memories
	racedetector.AtOnce(
		func(int) { m.of(first, "one") }, func(n int) { m.of(ofShop, "two") }, func(n int) { m.of(delivered.Place{Namespace: fmt.Sprint(n), Name: "regcred"}, "three") },
		func(int) { m.forget(first) }, func(int) { m.forgetNamespace("shop") },
	)
	var s selectors
	racedetector.AtOnce(
		func(int) { _, _ = s.of(company, nil) }, func(int) { _, _ = s.of(other, nil) }, func(int) { s.forget("company") }, func(int) { s.forget("other") },
	)
	var after successors
	racedetector.AtOnce(
		func(int) { after.note(company, "before") }, func(int) { after.note(other, "before") }, func(int) { after.is(company, "before") }, func(int) { after.forget("company") },
	)
}

func TestTheLedgerIsKeptByManyAtOnce(t *testing.T) {
	var l ledger
	known := map[string][]string{"company": {"r.example"}}
	next := func(n int) string { return fmt.Sprint(n + 1) }
	racedetector.AtOnce(
		func(n int) { l.begin(version("a", next(n), "r.example")) }, func(n int) { l.vouch(version("a", next(n), "r.example"), known) },
		func(n int) { l.note(version("a", next(n), "s.example")) }, func(n int) { l.settle(version("a", next(n), "r.example")) },
		func(n int) { l.settled(ofShop, next(n)) }, func(n int) { l.drop(version("a", next(n))) }, func(int) { l.gone(ofShop) },
		func(int) { l.holding("company") }, func(int) { l.of("company") }, func(int) { l.at(ofShop, "company") },
	)
}

func TestWhatIsToBeLostIsDecidedByManyAtOnce(t *testing.T) {
	g := newRig(t, 3, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(3)
	g.label("none")
	object, again := g.company(), g.company()
	again.UID = "again"
	place := func(n int) delivered.Place {
		return delivered.Place{Namespace: fmt.Sprintf("n-%05d", n), Name: "regcred"}
	}
	few := func(thing func()) func(int) { // each looks at all namespaces
		return func(n int) {
			if n < 5 {
				thing()
			}
		}
	}
	loses := func(n int) func(int) {
		return few(func() { _, _ = g.r.mayLose(t.Context(), object, place(n)) })
	}
	keeps := func(n int) func(int) {
		return few(func() { _ = g.r.losesNothing(t.Context(), object, place(n)) })
	}
	racedetector.AtOnce(loses(0), loses(1), keeps(2), keeps(1), few(func() { _, _ = g.r.Removal(t.Context(), object) }))
	var k keepers
	racedetector.AtOnce(
		func(int) { k.of(object, g.r.Store.Removals, g.now) }, func(int) { k.of(again, g.r.Store.Removals, g.now) }, func(int) { k.forget("company") },
	)
}
