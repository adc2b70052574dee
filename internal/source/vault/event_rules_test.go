package vault

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"regcred.dev/regcred/api/v1alpha1"
)

// unfollowed is a rig that has read, and whose subscription nobody runs: the test does.
func unfollowed(t *testing.T, server *scripted) (*toldRig, *subscription) {
	t.Helper()
	rig := newToldRig(t, server.URL)
	rig.mustRead(atKV2)
	return rig, &rig.connections["default"].events
}

func TestEventsAreNotAskedForWhereNobodyWantsThem(t *testing.T) {
	for _, test := range []struct {
		name   string
		told   bool
		reads  bool
		closed bool
		rounds int
		want   int
	}{
		{"somebody listens", true, true, false, 3, 1},
		{"nobody listens", false, true, false, 3, 0},
		{"nothing is read", true, false, false, 3, 0},
		{"the connection is closed", true, true, true, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, events := newBroadcasting(t)
			rig := newRig(t, server.URL)
			if test.told {
				rig = newToldRig(t, server.URL).rig
			}
			if _, err := rig.Check(t.Context(), rig.connection); err != nil {
				t.Fatal(err)
			}
			if test.reads {
				rig.mustRead(atKV2)
			}
			subscription := &rig.connections["default"].events
			if test.closed {
				subscription.close()
				subscription.ensure()
			}
			for range test.rounds {
				rig.maintain(t.Context())
			}
			if test.want > 0 {
				await(t, "a socket is open", func() bool { open, _ := events.counts(); return open == 1 })
			}
			if err := rig.Close(t.Context()); err != nil { // whatever runs has ended then
				t.Fatal(err)
			}
			if n := len(server.requests(eventsOfKV)); n != test.want || subscription.cancel != nil && test.want == 0 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestWhenASocketIsAskedForAgain(t *testing.T) {
	for _, test := range []struct {
		name        string
		answer      http.HandlerFunc
		before      func(*toldRig, *subscription)
		least, most time.Duration
		says        string
		waitsFor    bool // another token
	}{
		{"there are none", answers(404, `{"errors":[]}`), nil, 48 * time.Minute, time.Hour, "no events", false},
		{"there were some before", answers(404, `{"errors":[]}`), func(_ *toldRig, s *subscription) { s.followed = true }, firstReconnect / 2, firstReconnect, "cannot be followed now", false},
		{"the token may not", answers(403, `{"errors":[]}`), nil, 8 * time.Minute, 10 * time.Minute, "403", true},
		{"nobody answers", breaks, nil, firstReconnect / 2, firstReconnect, "cannot be followed now", false},
		{"nobody has logged in", answers(404, ""), func(_ *toldRig, s *subscription) {
			s.connection.tokens.mu.Lock()
			defer s.connection.tokens.mu.Unlock()
			s.connection.tokens.current = nil
		}, pulse, pulse, "", false},
		{"there is no token", answers(404, ""), func(r *toldRig, _ *subscription) { r.pass(2 * time.Hour) }, pulse, pulse, "", false},
		{"the requests of the connection are used up", answers(404, ""), func(r *toldRig, s *subscription) { s.connection.limiter.SetBurst(0) }, firstReconnect / 2, firstReconnect, "cannot be followed now", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, _ := newBroadcasting(t)
			server.handle(eventsOfKV, test.answer)
			rig, s := unfollowed(t, server)
			if test.before != nil {
				test.before(rig, s)
			}
			p := s.follow(t.Context())
			if p.wait < test.least || p.wait > test.most || (p.of != nil) != test.waitsFor || test.says != "" && !rig.says(test.says) || test.says == "" && len(rig.said) > 0 {
				t.Errorf("after %s, for another token: %t; it says %q", p.wait, p.of != nil, rig.said)
			}
			if s.follow(t.Context()); len(rig.said) > 1 {
				t.Errorf("it says again what it said: %q", rig.said)
			}
		})
	}
}

// ending serves sockets that end at once, after what is sent over them.
func ending(messages ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for _, message := range messages {
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(message))
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
}

func TestSocketsThatEndAreOpenedAgainMoreRarelyWhereTheyToldNothing(t *testing.T) {
	event := string(eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/other"))
	for _, test := range []struct {
		name     string
		messages []string
		told     bool
	}{
		{"they told nothing", nil, false}, {"they told what is none", []string{"nonsense"}, false},
		{"they told of something", []string{event}, true}, {"they told of something, and nonsense", []string{event, "nonsense"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, _ := newBroadcasting(t)
			server.handle(eventsOfKV, ending(test.messages...))
			rig, s := unfollowed(t, server)
			var last time.Duration
			for range 4 {
				if last = s.follow(t.Context()).wait; last <= 0 {
					t.Fatalf("a wait of %s", last)
				}
			}
			if more := last > firstReconnect; more == test.told {
				t.Errorf("after four of them a wait of %s", last)
			}
			server.handle(eventsOfKV, answers(404, `{"errors":[]}`))
			if wait := s.follow(t.Context()).wait; wait > lastReconnect || !rig.says("cannot be followed now") {
				t.Errorf("a server that had events is asked again after %s", wait)
			}
		})
	}
}

func TestOfTwoPatternsTheSecondIsAskedWhereTheFirstIsNotAllowed(t *testing.T) {
	for status, want := range map[int]int{403: 1, 404: 0, 503: 0} {
		server, _ := newBroadcasting(t)
		server.handle(eventsOfKV, answers(404, `{"errors":[]}`))
		server.handle("/v1/sys/events/subscribe/*", answers(status, `{"errors":[]}`))
		_, s := unfollowed(t, server)
		s.interests.note("r", placeNamed("r"), true, s.connection.now())
		s.follow(t.Context())
		if n := len(server.requests(eventsOfKV)); n != want {
			t.Errorf("after %d the second is asked %d times", status, n)
		}
	}
}

func TestASocketIsOpenedInTheNamespaceOfTheConnection(t *testing.T) {
	for _, namespace := range []string{"", "platform"} {
		server, _ := newBroadcasting(t)
		server.handle(eventsOfKV, ending())
		server.handle("/v1/sys/internal/ui/mounts", answers(404, `{"errors":[]}`))
		server.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{"namespace_path":"platform/"}}`))
		rig := newToldRig(t, server.URL)
		rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.VaultNamespace, s.Address = namespace, server.URL+"/" })
		rig.mustRead(atKV2)
		rig.connections["default"].events.follow(t.Context())
		all := server.requests(eventsOfKV)
		if len(all) != 1 {
			t.Fatalf("asked %d times", len(all))
		}
		if got, there := all[0].Header["X-Vault-Namespace"]; there != (namespace != "") || there && got[0] != namespace || all[0].Header.Get("X-Vault-Request") != "true" {
			t.Errorf("the headers are %v", all[0].Header)
		}
	}
}

func TestAMessageOfTheLongestLengthIsReadAndWhatIsNoTextIsNot(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	rig.following(events)
	events.mu.Lock()
	for conn := range events.sockets {
		if err := conn.Write(t.Context(), websocket.MessageBinary, eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "vault_index", "binary")); err != nil {
			t.Error(err)
		}
	}
	events.mu.Unlock()
	long := eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "vault_index", "long")
	events.send(t, append(long, []byte(strings.Repeat(" ", maxEvent-len(long)))...))
	await(t, "the long one is told, and nothing else", func() bool {
		news := rig.take()
		if len(news) > 0 && (len(news) > 1 || news[0].State != "long") {
			t.Fatalf("told %+v", news)
		}
		return len(news) > 0
	})
}

func TestARefusalIsSaidAndIsNotWaitedForTheSameTimeEachTime(t *testing.T) {
	for _, status := range []int{0, 200, 300, 399, 400, 403, 404, 429, 500, 501, 503} {
		r := refusalOf(status)
		if !strings.Contains(r.message, "changes are seen at the next read") {
			t.Errorf("%d: it says %q", status, r.message)
		}
		waits := map[time.Duration]bool{}
		for range 20 {
			waits[(&backOff{}).after(*r)] = true
		}
		if len(waits) < 2 {
			t.Errorf("%d: each waits %v", status, waits)
		}
	}
	for status, want := range map[int]time.Duration{200: noEventsPause, 300: deniedPause, 399: deniedPause, 400: noEventsPause, 499: noEventsPause, 500: 0} {
		if got := refusalOf(status).pause; got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestASubscriptionThatWaitsEndsWithItsContext(t *testing.T) {
	server, _ := newBroadcasting(t)
	_, s := unfollowed(t, server)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.pause(ctx, pause{wait: time.Hour}); close(ended) }()
	stop()
	<-ended
}
