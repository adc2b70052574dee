package vault

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// controlling opens sockets over which it sends frames of one kind without a content, and a text after them. It reads what comes, and lets it fall.
func controlling(kind byte, frames int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, 1.3
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		_, _ = conn.Write(slices.Repeat([]byte{0x80 | kind, 0}, frames))
		_, _ = conn.Write([]byte("\x81\x02hi"))
	}
}

func TestAFloodOfPingsOrPongsIsReadSlowly(t *testing.T) {
	for name, kind := range map[string]byte{"pings": 0x9, "pongs": 0xA} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, current, _ := alone()
				s.connection.limiter = rate.NewLimiter(rate.Inf, 0)
				s.connection.spec.Address = "http://vault.invalid"
				s.connection.http = &http.Client{Transport: &http.Transport{DialContext: dialler(t, &http.Server{Handler: controlling(kind, pingBurst+2*pingRate)})}}
				conn, _, err := s.dial(t.Context(), current, "kv*")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.CloseNow() }()
				began := time.Now()
				if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "hi" {
					t.Errorf("%q, %v", text, err)
				}
				if took := time.Since(began).Round(100 * time.Millisecond); took != 2*time.Second {
					t.Errorf("what comes after them is read after %s", took)
				}
			})
		})
	}
}

func TestAPingWhoseTurnIsFarOffIsNotAnswered(t *testing.T) {
	limit := newControlLimit()
	if !limit.answers(t.Context(), nil) {
		t.Error("the first one is not answered")
	}
	for range pingBurst + 3*pingRate {
		limit.limiter.Reserve() // for others that came before
	}
	if limit.answers(t.Context(), nil) {
		t.Error("it is answered, after longer than a socket is to wait")
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
