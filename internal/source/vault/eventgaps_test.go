package vault

import (
	"net/http"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// Each gap may hide an event. However often sockets break, what was missed is looked at soon after the last gap.
func TestHoweverOftenSocketsBreakTheLookIsSoonAfterTheLastGap(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	rig.following(events)
	s := &rig.connections["default"].events
	s.close() // the looks are asked for here
	rig.take()
	var looks []time.Time
	var planned time.Time
	for range 100 {
		rig.pass(time.Second)
		s.lookAtAll()
		for _, news := range rig.take() {
			planned = news.Time
		}
		if ahead := planned.Sub(rig.now()); ahead < subscribing || ahead > lookPause+lookSpread+subscribing {
			t.Fatalf("it is looked at after %s", ahead)
		}
		looks = append(looks, s.lastLook)
	}
	different := 0
	for i := 1; i < len(looks); i++ {
		if !looks[i].Equal(looks[i-1]) {
			different++
			if looks[i].Sub(looks[i-1]) < lookPause {
				t.Errorf("two looks with %s in between", looks[i].Sub(looks[i-1]))
			}
		}
	}
	if different > 5 {
		t.Errorf("%d looks in 100 seconds", different)
	}
}

// The first object reads KV, and another one a role that Vault rotates: its events have another type than the socket was opened for.
func TestARoleThatIsReadLaterHasItsEventsFollowed(t *testing.T) {
	t.Parallel()
	server, events := newBroadcasting(t)
	all := &broadcaster{}
	server.handle("/v1/sys/events/subscribe/*", all.ServeHTTP)
	server.handle("/v1/db/static-creds/robot", answers(200, `{"data":{"username":"robot","password":"pw","last_vault_rotation":"2026-01-02T03:04:05Z","rotation_period":3600,"ttl":3000}}`))
	rig := newToldRig(t, server.URL)
	rig.following(events)
	rig.mustRead(v1alpha1.VaultSource{Mount: "db", Path: "static-creds/robot", Engine: v1alpha1.EngineDynamic})
	await(t, "all events are followed", func() bool { open, _ := all.counts(); return open == 1 })
	rig.take()
	all.send(t, eventOf("database/rotate", "", "db/", "path", "db/rotate-role/robot", "name", "robot", "modified", "true"))
	await(t, "the rotation is told", func() bool { return len(rig.take()) > 0 })
}

// Vault answers 403 to a dead token as to one that may not. Reads find out which it is and log in again: that ends the wait.
func TestADeadTokenDoesNotKeepEventsAwayForLong(t *testing.T) {
	t.Parallel()
	server, events := newBroadcasting(t)
	alive := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Vault-Token") != "hvs.another" {
				answers(403, `{"errors":["permission denied"]}`)(w, r)
				return
			}
			next(w, r)
		}
	}
	rig := newToldRig(t, server.URL)
	rig.following(events)
	// Vault restarts, and has forgotten the token.
	server.handle(eventsOfKV, alive(events.ServeHTTP))
	server.handle("/v1/secret/data/a", alive(answers(200, kv2Answer(goodData))))
	server.handle("/v1/auth/token/lookup-self", alive(answers(200, `{"data":{"ttl":3600,"renewable":true}}`)))
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer("hvs.another")))
	events.kill()
	await(t, "the dead token was refused", func() bool { return rig.says("403") })
	rig.mustRead(atKV2)
	await(t, "a socket with the new token is open", func() bool { open, _ := events.counts(); return open == 1 })
}

func TestWhatBecomesOfTheEventsIsSaidWhereItChanges(t *testing.T) {
	sick := answers(503, `{"errors":[]}`)
	server, _ := newBroadcasting(t)
	rig, s := unfollowed(t, server)
	for n, step := range []struct {
		answer http.HandlerFunc
		says   string // empty: nothing
	}{
		{sick, "cannot be followed now"}, {sick, ""}, {ending(), "its events are followed"}, {ending(), ""}, {sick, "cannot be followed now"}, {ending(), "its events are followed"},
	} {
		server.handle(eventsOfKV, step.answer)
		before := len(rig.said)
		s.follow(t.Context())
		if more := len(rig.said) > before; more != (step.says != "") || more && !rig.says(step.says) {
			t.Errorf("after step %d it has said %q", n, rig.said)
		}
	}
}
