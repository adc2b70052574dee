package vault

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// every answers each second token, and refuses the others.
func every(second int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if numberOf(r)%2 != second {
			answers(403, `{"errors":["permission denied"]}`)(w, r)
			return
		}
		next(w, r)
	}
}

// numberOf is the number of the token of a request, as tokens gives them.
func numberOf(r *http.Request) int {
	number, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("X-Vault-Token"), "token-"))
	return number
}

func TestAConnectionIsUsedByManyAtOnce(t *testing.T) {
	server, _ := newBroadcasting(t)
	tokens(server, 3600, true)
	server.handle("/v1/auth/token/renew-self", answers(200, loginAnswer("token-1")))
	newEngine(server, `{"username":"robot","password":"pw"}`)
	server.handle("/v1/secret/data/denied", answers(403, `{"errors":["permission denied"]}`))
	server.handle("/v1/secret/data/even", every(0, answers(200, kv2Answer(goodData))))
	server.handle("/v1/secret/data/odd", every(1, answers(200, kv2Answer(goodData))))
	rig := newToldRig(t, server.URL)
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	check := func(int) { _, _ = rig.Check(t.Context(), object) }
	read := func(path string) func(int) {
		return func(int) { _, _ = rig.read(v1alpha1.VaultSource{Mount: "secret", Path: path}) }
	}
	lease := func(int) {
		if snapshot, failure := rig.read(atDynamic); failure == nil {
			_, _ = rig.Renew(t.Context(), *snapshot.Lease)
			_ = rig.Release(t.Context(), *snapshot.Lease)
		}
	}
	racedetector.AtOnce(
		check, check, lease, lease, read("a"), read("denied"), read("even"), read("odd"), func(n int) {
			_, _ = rig.readAged(v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint(n)}, time.Minute)
		},
		func(int) { rig.maintain(t.Context()) }, func(int) { rig.pass(time.Minute) },
	)
}

// One token after the other dies.
func TestTokensThatDieAreReplacedForManyAtOnce(t *testing.T) {
	server := newScripted(t)
	issued := tokens(server, 3600, true)
	var dead atomic.Int32 // all up to it
	living := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if numberOf(r) <= int(dead.Load()) {
				answers(403, `{"errors":["permission denied"]}`)(w, r)
				return
			}
			next(w, r)
		}
	}
	server.handle("/v1/secret/data/a", living(answers(200, kv2Answer(goodData))))
	server.handle("/v1/auth/token/lookup-self", living(answers(200, `{"data":{}}`)))
	rig := newRig(t, server.URL)
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	read, check := func(int) { _, _ = rig.read(atKV2) }, func(int) { _, _ = rig.Check(t.Context(), object) }
	racedetector.AtOnce(read, read, check, func(int) { dead.Store(issued.Load()); rig.pass(20 * time.Second) })
}

// Its object is deleted and written again, and the Manager ends.
func TestAConnectionComesAndGoesWhileManyUseIt(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	object, err := rig.getConnection(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	there := func(object *v1alpha1.VaultConnection) {
		rig.mu.Lock()
		defer rig.mu.Unlock()
		rig.connection = object
	}
	read, check := func(int) { _, _ = rig.read(atKV2) }, func(int) { _, _ = rig.Check(t.Context(), object) }
	racedetector.AtOnce(
		read, read, check, func(int) { rig.maintain(t.Context()) }, func(int) { there(nil); rig.maintain(t.Context()); there(object) },
		func(n int) {
			if read(n); n == 40 {
				_ = rig.Close(t.Context())
			}
		},
	)
}

// It is due again and again, because nobody prolongs it.
func TestATokenThatIsNotRenewedIsUsedByManyAtOnce(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/auth/token/renew-self", answers(403, `{"errors":["permission denied"]}`))
	rig := newRig(t, server.URL)
	given(rig)
	read := func(int) { _, _ = rig.read(atKV2) }
	racedetector.AtOnce(read, read, func(int) { rig.maintain(t.Context()) }, func(int) { rig.pass(10 * time.Minute) })
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
