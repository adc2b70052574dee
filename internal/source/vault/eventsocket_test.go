package vault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

const eventsOfKV = "/v1/sys/events/subscribe/kv*"

// broadcaster serves subscriptions. What it sends goes to all sockets that are open.
type broadcaster struct {
	mu      sync.Mutex
	sockets map[*websocket.Conn]*http.Request
	opened  int
}

func (b *broadcaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	b.mu.Lock()
	if b.sockets == nil {
		b.sockets = map[*websocket.Conn]*http.Request{}
	}
	b.sockets[conn] = r
	b.opened++
	b.mu.Unlock()
	<-conn.CloseRead(context.Background()).Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sockets, conn)
}

func (b *broadcaster) send(t *testing.T, message []byte) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.sockets {
		if err := conn.Write(t.Context(), websocket.MessageText, message); err != nil {
			t.Error(err)
		}
	}
}

func (b *broadcaster) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.sockets {
		_ = conn.CloseNow()
	}
}

// counts gives how many sockets are open, and how many ever were.
func (b *broadcaster) counts() (open, ever int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sockets), b.opened
}

// toldRig is a Manager that follows events, and what it is told.
type toldRig struct {
	*rig
	heard sync.Mutex
	news  []source.News
	said  []string
}

func newToldRig(t *testing.T, address string, change ...func(*Options)) *toldRig {
	t.Helper()
	told := &toldRig{}
	told.rig = newRig(t, address, append(change, func(o *Options) {
		o.Told = func(n source.News) {
			told.heard.Lock()
			defer told.heard.Unlock()
			told.news = append(told.news, n)
		}
		o.EventsChanged = func(_, message string) {
			told.heard.Lock()
			defer told.heard.Unlock()
			told.said = append(told.said, message)
		}
	})...)
	return told
}

// take gives what was told since it was last asked.
func (r *toldRig) take() []source.News {
	r.heard.Lock()
	defer r.heard.Unlock()
	news := r.news
	r.news = nil
	return news
}

func (r *toldRig) says(part string) bool {
	r.heard.Lock()
	defer r.heard.Unlock()
	return len(r.said) > 0 && strings.Contains(r.said[len(r.said)-1], part)
}

// following reads a secret and waits until the events of the server are followed.
func (r *toldRig) following(b *broadcaster) {
	r.t.Helper()
	r.mustRead(atKV2)
	r.maintain(r.t.Context())
	await(r.t, "a socket is open, and everything was looked at", func() bool {
		open, _ := b.counts()
		return open == 1 && len(r.take()) > 0
	})
}

// newBroadcasting is a server with events that has one secret.
func newBroadcasting(t *testing.T) (*scripted, *broadcaster) {
	t.Helper()
	server, events := newScripted(t), &broadcaster{}
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle(eventsOfKV, events.ServeHTTP)
	return server, events
}

func TestAnEventHasItsPlaceReadInTheStateThatItNames(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL, func(o *Options) { o.AllowedAddresses = []string{server.URL} })
	rig.following(events)
	subscribed := server.requests(eventsOfKV)[0]
	if subscribed.Header.Get("X-Vault-Token") != testToken || subscribed.URL.RawQuery != "json=true" {
		t.Errorf("it asked %s with the headers %v", subscribed.URL, subscribed.Header)
	}
	events.send(t, eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/other"))
	events.send(t, []byte("no event"))
	events.send(t, eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "vault_index", "djE6YQ=="))
	var news []source.News
	await(t, "the place is told", func() bool { news = append(news, rig.take()...); return len(news) > 0 })
	request := requestOf(atKV2)
	if len(news) != 1 || news[0].Place != request.Place() || news[0].State != "djE6YQ==" || !news[0].Time.Equal(rig.now()) {
		t.Fatalf("told %+v", news)
	}
	behind := 2
	server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Index") != "djE6YQ==" {
			answers(400, `{"errors":["no state"]}`)(w, r)
			return
		}
		if behind--; behind >= 0 {
			answers(412, `{"errors":["required index state not present"]}`)(w, r)
			return
		}
		answers(200, kv2Answer(map[string]any{"username": "robot", "password": "new"}))(w, r)
	})
	request.State = news[0].State
	snapshot, err := rig.Read(t.Context(), request)
	if err != nil || snapshot.Config["registry.example"].Password() != "new" {
		t.Errorf("read %v, error %v", snapshot.Revision, err)
	}
}

func TestANodeThatNeverHasTheStateIsReadAllTheSame(t *testing.T) {
	for _, test := range []struct {
		name          string
		status, asked int
	}{{"it stays behind", 412, 6}, {"it knows no such header", 400, 2}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newScripted(t)
			server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Vault-Index") != "" {
					answers(test.status, `{"errors":["required index state not present"]}`)(w, r)
					return
				}
				answers(200, kv2Answer(goodData))(w, r)
			})
			request := requestOf(atKV2)
			request.State = "djE6YQ=="
			if _, err := newRig(t, server.URL).Read(t.Context(), request); err != nil {
				t.Error(err)
			}
			if n := len(server.requests("/v1/secret/data/a")); n != test.asked {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestAfterAGapEverythingIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	rig.following(events)
	for range 3 {
		rig.pass(2 * lookPause)
		_, before := events.counts()
		events.send(t, eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a"))
		await(t, "the event is told", func() bool { return len(rig.take()) == 1 })
		events.kill()
		await(t, "another socket is opened", func() bool { open, ever := events.counts(); return open == 1 && ever > before })
		var news []source.News
		await(t, "everything is looked at", func() bool { news = append(news, rig.take()...); return len(news) > 0 })
		if ahead := news[0].Time.Sub(rig.now()); ahead < subscribing || ahead > lookSpread+subscribing {
			t.Errorf("it is looked at after %s", ahead)
		}
	}
}

func TestAMessageThatIsTooLongEndsTheSocketAndNothingElse(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	rig.following(events)
	events.send(t, make([]byte, maxEvent+1))
	await(t, "another socket is opened", func() bool { open, ever := events.counts(); return open == 1 && ever == 2 })
	rig.mustRead(atKV2)
}

func TestAnotherTokenOpensAnotherSocketAndTheTimeIsCounted(t *testing.T) {
	t.Parallel()
	server, events := newBroadcasting(t)
	counted := &ledger{}
	rig := newToldRig(t, server.URL, func(o *Options) { o.Metrics = counted })
	rig.following(events)
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer("hvs.another")))
	server.handle("/v1/auth/token/renew-self", answers(403, `{"errors":["permission denied"]}`))
	rig.pass(50 * time.Minute) // past two thirds of the hour
	rig.mustRead(atKV2)
	await(t, "a socket with the new token is open", func() bool {
		all := server.requests(eventsOfKV)
		open, _ := events.counts()
		return open == 1 && all[len(all)-1].Header.Get("X-Vault-Token") == "hvs.another"
	})
	counted.mu.Lock()
	defer counted.mu.Unlock()
	if all := strings.Join(counted.entries, "\n"); !strings.Contains(all, "events default") {
		t.Errorf("counted only %s", all)
	}
}

func TestAServerWithoutEventsIsAskedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"OpenBao and Vault's community edition": {answers(404, `{"errors":[]}`), "no events"},
		"a proxy that passes no socket on":      {answers(200, `{}`), "no events"},
		"the policy does not allow it":          {answers(403, `{"errors":["permission denied"]}`), "policy"},
		"a redirect to somewhere else":          {answers(307, "", "Location", "http://elsewhere.example/v1/sys/events/subscribe/kv%2A?json=true"), "another address"},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := newBroadcasting(t)
			server.handle(eventsOfKV, test.answer)
			rig := newToldRig(t, server.URL)
			rig.mustRead(atKV2)
			for range 5 {
				rig.maintain(t.Context())
			}
			await(t, "it is said why", func() bool { return rig.says(test.says) })
			rig.mustRead(atKV2)
			if asked := len(server.requests(eventsOfKV)); asked != 1 || len(rig.take()) > 0 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestARedirectOfAStandbyIsFollowedToAnAllowedAddress(t *testing.T) {
	active, events := newBroadcasting(t)
	standby := newScripted(t)
	standby.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	standby.handle(eventsOfKV, answers(307, "", "Location", active.URL+"/v1/sys/events/subscribe/kv%2A?json=true"))
	rig := newToldRig(t, standby.URL, func(o *Options) { o.AllowedAddresses = []string{standby.URL, active.URL} })
	rig.following(events)
}

func TestOnlyRolesAskForAllEvents(t *testing.T) {
	server, events := newBroadcasting(t)
	server.handle("/v1/db/static-creds/robot", answers(200, `{"data":{"username":"robot","password":"pw","last_vault_rotation":"2026-01-02T03:04:05Z","rotation_period":3600,"ttl":3000}}`))
	server.handle("/v1/sys/events/subscribe/*", answers(403, `{"errors":["permission denied"]}`))
	rig := newToldRig(t, server.URL)
	rig.mustRead(v1alpha1.VaultSource{Mount: "db", Path: "static-creds/robot", Engine: v1alpha1.EngineDynamic})
	rig.following(events)
	if all := server.requests("/v1/sys/events/subscribe/*"); len(all) != 1 {
		t.Errorf("asked for all events %d times", len(all))
	}
}

// TestWhatEachReadMakesIsNotReadBecauseOfItsOwnEvent: the database engine tells of each login that it makes, at the path that was read.
func TestWhatEachReadMakesIsNotReadBecauseOfItsOwnEvent(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	server.handle("/v1/db/creds/robot", answers(200, `{"lease_id":"db/creds/robot/1","lease_duration":60,"data":{"user":"u","password":"p"}}`))
	rig.mustFail(v1alpha1.VaultSource{Mount: "db", Path: "creds/robot", Engine: v1alpha1.EngineDynamic}, v1alpha1.ReasonKeyMissing)
	rig.following(events)
	events.send(t, eventOf("database/creds-create", "", "db/", "path", "db/creds/robot", "name", "robot", "modified", "true"))
	events.send(t, eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a"))
	var news []source.News
	await(t, "the other event is told", func() bool { news = append(news, rig.take()...); return len(news) > 0 })
	request := requestOf(atKV2)
	for _, told := range news {
		if told.Place != request.Place() {
			t.Errorf("told of %+v", told.Place)
		}
	}
	if asked := server.requests("/v1/sys/events/subscribe/*"); len(asked) > 0 {
		t.Error("all events were asked for, though none could be of use")
	}
}

// TestARefusedTokenIsNotWaitedForWhenThereIsAnother: a token that has ended is refused as one without the policy is.
func TestARefusedTokenIsNotWaitedForWhenThereIsAnother(t *testing.T) {
	t.Parallel()
	server, events := newBroadcasting(t)
	server.handle(eventsOfKV, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") == testToken {
			answers(403, `{"errors":["permission denied"]}`)(w, r)
			return
		}
		events.ServeHTTP(w, r)
	})
	rig := newToldRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.maintain(t.Context())
	await(t, "it is refused", func() bool { return rig.says("403") })
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer("hvs.another")))
	server.handle("/v1/auth/token/renew-self", answers(403, `{"errors":["permission denied"]}`))
	rig.pass(50 * time.Minute)
	rig.mustRead(atKV2)
	await(t, "a socket with the new token is open", func() bool { open, _ := events.counts(); return open == 1 })
}

func TestAServerThatHadEventsHasThemAgainSoon(t *testing.T) {
	for status, most := range map[int]time.Duration{400: lastReconnect, 404: lastReconnect, 200: lastReconnect, 403: deniedPause, 503: lastReconnect} {
		var b backOff
		for range 20 {
			if wait := b.after(*refusalOf(status).withEvents()); wait > most {
				t.Fatalf("after %d a wait of %s", status, wait)
			}
		}
	}
}

func TestASickServerIsNotAskedForEvents(t *testing.T) {
	server, _ := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	rig.mustRead(atKV2)
	server.handle("/v1/secret/data/a", answers(503, `{"errors":["Vault is sealed"]}`))
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	if wait := rig.connections["default"].events.follow(t.Context()).wait; wait < pulse {
		t.Errorf("a wait of %s", wait)
	}
	if asked := len(server.requests(eventsOfKV)); asked > 0 {
		t.Errorf("asked %d times through a shut gate", asked)
	}
}

func TestHowLongARefusalLasts(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		least, most time.Duration
	}{
		"no answer":           {0, firstReconnect / 2, firstReconnect},
		"it is overloaded":    {429, firstReconnect / 2, firstReconnect},
		"it is sick":          {503, firstReconnect / 2, firstReconnect},
		"it may not":          {403, 8 * time.Minute, 10 * time.Minute},
		"it is elsewhere":     {307, 8 * time.Minute, 10 * time.Minute},
		"there is none":       {404, 48 * time.Minute, time.Hour},
		"it is not supported": {501, 48 * time.Minute, time.Hour},
		"it is no socket":     {426, 48 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b := backOff{}
			if wait := b.after(*refusalOf(test.status)); wait < test.least || wait > test.most {
				t.Errorf("%s", wait)
			}
		})
	}
}

func TestSocketsThatAreOfNoUseAreOpenedEverMoreRarely(t *testing.T) {
	b, waited := backOff{}, time.Duration(0)
	for range 1000 {
		wait := b.ended(0, false)
		if wait > lastReconnect {
			t.Fatalf("a wait of %s", wait)
		}
		waited += wait
	}
	if waited < 1000*lastReconnect/4 {
		t.Errorf("1000 sockets in %s", waited)
	}
	for name, wait := range map[string]time.Duration{"told something": b.ended(0, true), "lasted": b.ended(lasting, false)} {
		if wait > 2*firstReconnect {
			t.Errorf("after one that %s: %s", name, wait)
		}
	}
}

// TestEventsAreToldWithinASecond: 100 places, 10 events of each, told as fast as the server sends them.
func TestEventsAreToldWithinASecond(t *testing.T) {
	const places, events = 100, 10
	server, sender := newBroadcasting(t)
	var mu sync.Mutex
	var after []time.Duration
	sent := map[string]time.Time{}
	rig := newRig(t, server.URL, func(o *Options) {
		o.Told = func(n source.News) {
			mu.Lock()
			defer mu.Unlock()
			if at, ok := sent[n.State]; ok {
				after = append(after, time.Since(at))
			}
		}
	})
	for n := range places {
		path := fmt.Sprintf("p%02d", n)
		server.handle("/v1/secret/data/"+path, answers(200, kv2Answer(goodData)))
		rig.mustRead(v1alpha1.VaultSource{Mount: "secret", Path: path})
	}
	rig.maintain(t.Context())
	await(t, "a socket is open", func() bool { open, _ := sender.counts(); return open == 1 })
	for round := range events {
		for n := range places {
			state := fmt.Sprintf("%d-%d", round, n)
			mu.Lock()
			sent[state] = time.Now()
			mu.Unlock()
			sender.send(t, eventOf("kv-v2/data-write", "", "secret/", "path", fmt.Sprintf("secret/data/p%02d", n), "vault_index", state))
		}
	}
	await(t, "all is told", func() bool { mu.Lock(); defer mu.Unlock(); return len(after) == places*events })
	slices.Sort(after)
	p99 := after[len(after)*99/100]
	t.Logf("measured: told after %s at p50, %s at p99", after[len(after)/2], p99)
	if p99 > time.Second {
		t.Errorf("p99 is %s", p99)
	}
}
