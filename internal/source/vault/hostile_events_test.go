package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"regcred.dev/regcred/internal/source"
)

// flood serves sockets, and does to each of them what a server may do without an end.
func flood(t *testing.T, pour func(context.Context, *websocket.Conn) bool) (*toldRig, *atomic.Int64) {
	t.Helper()
	var poured atomic.Int64
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle(eventsOfKV, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		ctx := conn.CloseRead(context.Background())
		for pour(ctx, conn) {
			poured.Add(1)
		}
	})
	rig := newToldRig(t, server.URL)
	rig.mustRead(atKV2)
	rig.maintain(t.Context())
	await(t, "it pours", func() bool { return poured.Load() > 0 })
	return rig, &poured
}

// A server that sends without an end has one goroutine read what a few servers send together, and no more: a processor is for all.
func TestAFloodOfEventsIsReadSlowly(t *testing.T) {
	const size, watched = maxEvent - 1, 2 * time.Second
	message, err := json.Marshal(map[string]any{"data": map[string]any{"event": map[string]any{"metadata": map[string]any{"x": strings.Repeat("y", size-100)}}}})
	if err != nil {
		t.Fatal(err)
	}
	rig, poured := flood(t, func(ctx context.Context, conn *websocket.Conn) bool {
		return conn.Write(ctx, websocket.MessageText, message) == nil
	})
	time.Sleep(watched) // what is measured is how much comes through in a time
	if read := poured.Load() * size; read > 32<<20 {
		t.Errorf("%d MiB were read in %s", read>>20, watched)
	}
	rig.mustRead(atKV2)
}

func TestAFloodOfPingsIsAnsweredSlowly(t *testing.T) {
	const watched = time.Second
	_, poured := flood(t, func(ctx context.Context, conn *websocket.Conn) bool { return conn.Ping(ctx) == nil })
	time.Sleep(watched)
	if pongs := poured.Load(); pongs > 200 {
		t.Errorf("%d pings were answered in %s", pongs, watched)
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
