package vault

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

func TestWhatIsSharedIsUsedByManyAtOnce(t *testing.T) {
	var u unused
	racedetector.AtOnce(
		func(n int) { u.add("a", fmt.Sprint(n), readAt) }, func(n int) { u.add("b", fmt.Sprint(n), readAt) },
		func(int) { u.due("a", readAt) }, func(int) { u.holds("b", readAt) }, func(int) { u.putBack(unusedLease{connection: "a", since: readAt}) },
	)
	i := inputs{unused: &u}
	racedetector.AtOnce(
		func(n int) { i.keep(key(fmt.Sprint(n)), madeAt(readAt, 1), readAt) }, func(n int) { i.take(key(fmt.Sprint(n)), readAt) },
		func(int) { i.forgetOld(readAt.Add(time.Hour)) }, func(n int) { i.keep(key(fmt.Sprint("other", n)), madeAt(readAt, 1), readAt) },
	)
	var known interests
	racedetector.AtOnce(
		func(n int) { known.note(fmt.Sprint(n), placeNamed(fmt.Sprint(n)), n%2 == 0, readAt) }, func(n int) { known.note("a", placeNamed(fmt.Sprint(n)), false, readAt) },
		func(int) { known.at([]string{"a"}) }, func(int) { known.all() }, func(int) { known.empty() }, func(int) { known.patterns(readAt) },
	)
	var g gate
	leave := func(int) {
		if probe, refused := g.enter(readAt); refused == nil {
			g.leave(readAt, probe, outcomeSealed.at("x"))
		}
	}
	racedetector.AtOnce(leave, leave, func(int) { g.peek(readAt) })
}

func TestAConnectionIsUsedByManyAtOnce(t *testing.T) {
	server, _ := newBroadcasting(t)
	tokens(server, 3600, true)
	server.handle("/v1/auth/token/renew-self", answers(200, loginAnswer("token-1")))
	newEngine(server, `{"username":"robot","password":"pw"}`)
	server.handle("/v1/secret/data/denied", answers(403, `{"errors":["permission denied"]}`))
	rig := newToldRig(t, server.URL)
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	check := func(int) { _, _ = rig.Check(t.Context(), object) }
	racedetector.AtOnce(
		check, check, func(int) { _, _ = rig.read(atKV2) }, func(n int) {
			_, _ = rig.readAged(v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint(n)}, time.Minute)
		},
		func(int) { _, _ = rig.read(v1alpha1.VaultSource{Mount: "secret", Path: "denied"}) }, func(int) { rig.maintain(t.Context()) }, func(int) { rig.pass(time.Minute) },
		func(int) {
			if snapshot, failure := rig.read(atDynamic); failure == nil {
				_, _ = rig.Renew(t.Context(), *snapshot.Lease)
				_ = rig.Release(t.Context(), *snapshot.Lease)
			}
		},
	)
}

// A login that is refused is noted while others look at when the next one is tried.
func TestARefusedLoginIsToldToManyAtOnce(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
	rig := newRig(t, server.URL)
	check := func(int) { _, _ = rig.Check(t.Context(), rig.connection) }
	racedetector.AtOnce(check, check, func(int) { rig.pass(time.Minute) }, func(int) { rig.maintain(t.Context()) })
}

func TestASubscriptionIsStartedAndClosedAtOnce(t *testing.T) {
	server, _ := newBroadcasting(t)
	for range 20 {
		rig := newToldRig(t, server.URL)
		rig.mustRead(atKV2)
		s := &rig.connections["default"].events
		var group sync.WaitGroup
		group.Go(s.ensure)
		group.Go(s.ensure)
		group.Go(s.close)
		group.Wait()
		s.close()
	}
}
