package vault

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// One connection carries all requests then. The socket of events needs another one: it is of HTTP/1.1.
func TestAServerThatSpeaksHTTP2IsAskedSoAndItsEventsAreFollowed(t *testing.T) {
	server, events := newBroadcasting(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(server.serve))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	rig := newToldRig(t, secure.URL)
	rig.change(func(s *v1alpha1.VaultConnectionSpec) {
		s.TLS = &v1alpha1.VaultTLS{CABundle: pemOf(secure.Certificate().Raw)}
	})
	rig.following(events)
	for path, want := range map[string]string{"/v1/secret/data/a": "HTTP/2.0", eventsOfKV: "HTTP/1.1"} {
		if got := server.requests(path)[0].Proto; got != want {
			t.Errorf("%s is asked for with %s", path, got)
		}
	}
}

// through is the client of a connection, whose servers are reached as dial says.
func through(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	t.Helper()
	client := newHTTPClient(nil, nil, nil)
	client.Transport.(boundedTransport).Transport.DialContext = dial
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func visit(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return err
}

func TestAServerThatShakesNoHandsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := through(t, func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		})
		began := time.Now()
		err := visit(t, client, "https://vault.invalid/")
		if f := classify("x", nil, err); err == nil || f.Outcome != outcomeSlow || time.Since(began) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestAConnectionThatNobodyUsesIsClosedAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened, closed atomic.Int32
		client := through(t, dialler(t, &http.Server{Handler: answers(200, "{}"), ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				opened.Add(1)
			case http.StateClosed:
				closed.Add(1)
			}
		}}))
		for range 3 {
			if err := visit(t, client, "http://vault.invalid/"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(80 * time.Second)
		}
		if opened.Load() != 1 || closed.Load() != 0 {
			t.Errorf("%d were opened and %d closed while it was in use", opened.Load(), closed.Load())
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if closed.Load() != 1 {
			t.Errorf("%d were closed", closed.Load())
		}
	})
}
