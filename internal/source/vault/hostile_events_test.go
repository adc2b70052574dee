package vault

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"regcred.dev/regcred/internal/source"
)

// A server that sends without an end is read no faster than a few servers send together: a processor is for all.
func TestAFloodOfEventsIsReadSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		socket := &throttledSocket{ours, rate.NewLimiter(socketRate, socketBurst)}
		go func() {
			for message := make([]byte, maxEvent); ; {
				if _, err := theirs.Write(message); err != nil {
					return
				}
			}
		}()
		began, read, buffer := time.Now(), 0, make([]byte, 1<<20)
		for read < 4*socketBurst {
			n, err := socket.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			read += n
		}
		const least = 3 * socketBurst / socketRate * time.Second
		if took := time.Since(began); took < least-time.Second || took > least+time.Second {
			t.Errorf("%d MiB were read in %s, want %s", read>>20, took, least)
		}
		go func() { time.Sleep(time.Millisecond); _ = socket.Close() }()
		for began = time.Now(); ; {
			if _, err := socket.Read(buffer); err != nil {
				break
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a reader that waits sees the end after %s", took)
		}
		_ = theirs.Close()
	})
}

// pinging is a server that pings its sockets as fast as they answer, and says how often each was answered.
func pinging(answered *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for ctx := conn.CloseRead(context.Background()); conn.Ping(ctx) == nil; {
			answered.Add(1)
		}
	}
}

func TestAFloodOfPingsIsAnsweredSlowly(t *testing.T) {
	server, answered := newScripted(t), &atomic.Int64{}
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle(eventsOfKV, pinging(answered))
	rig := newToldRig(t, server.URL)
	rig.mustRead(atKV2)
	began := time.Now()
	rig.maintain(t.Context())
	const pings = pingBurst + pingRate
	await(t, "all pings are answered", func() bool { return answered.Load() >= pings })
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("%d pings were answered in %s", pings, took)
	}
}

func TestTheSocketOfAConnectionIsReadSlowly(t *testing.T) {
	server, _ := newBroadcasting(t)
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+eventsOfKV, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="} {
		request.Header.Set(name, value)
	}
	response, err := rig.connections["default"].http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, is := response.Body.(*throttledSocket); !is || response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("status %d, and a socket of %T", response.StatusCode, response.Body)
	}
}

// Sockets that break again and again do not put off when everything is looked at.
func TestHoweverOftenASocketBreaksEverythingIsLookedAtSoon(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newToldRig(t, server.URL)
	rig.mustRead(atKV2)
	events := &rig.connections["default"].events
	var last time.Duration
	for range 500 {
		events.lookAtAll()
		for _, told := range rig.take() {
			last = max(last, told.Time.Sub(rig.now()))
		}
		rig.pass(300 * time.Millisecond)
	}
	if last > lookPause+lookSpread+subscribing {
		t.Errorf("it is looked at after %s", last)
	}
	looks := 0
	for range 100 {
		events.lookAtAll()
		looks += len(rig.take())
	}
	if looks > 1 {
		t.Errorf("within no time it is looked at %d times", looks)
	}
}

// What a server tells of elsewhere, or in a form that it has not, is nobody's.
func TestEventsOfElsewhereTellNothing(t *testing.T) {
	server, events := newBroadcasting(t)
	rig := newToldRig(t, server.URL)
	rig.following(events)
	for _, message := range [][]byte{
		eventOf("kv-v2/data-write", "other/", "secret/", "path", "secret/data/a"),
		eventOf("kv-v2/data-write", "", "secret/", "path", "../secret/data/a"),
		eventOf("kv-v2/data-write", "", "other/", "path", "secret/data/a"),
		eventOf("kv-v2/data-write", "", "", "path", ""),
		eventOf("kv-v2/data-write", "", "secret/data/a/", "path", ""),
		eventOf("kv-v2/data-write", "", strings.Repeat("/", 1000), "path", strings.Repeat("/", 1000)),
		[]byte(`[]`), []byte(`{"data":{"event":{"metadata":{"path":["secret/data/a"]}}}}`), []byte(strings.Repeat("[", maxEvent-1)),
	} {
		events.send(t, message)
	}
	events.send(t, eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a", "vault_index", "last"))
	var news []source.News
	await(t, "the last one is told", func() bool { news = append(news, rig.take()...); return len(news) > 0 })
	if len(news) != 1 || news[0].State != "last" {
		t.Errorf("told %+v", news)
	}
}
