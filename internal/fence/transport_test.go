package fence

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// server counts the requests that arrived whole.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	arrived []*http.Request
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if _, err := io.Copy(io.Discard, request.Body); err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.arrived = append(s.arrived, request)
		}
	}))
	s.EnableHTTP2 = true // as the API server
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) whole() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived
}

// client of a server, behind a fence.
func (s *server) client(t *testing.T, f *Fence) *http.Client {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	config, err := f.Wrap(&rest.Config{Host: s.URL, BearerToken: "token", TLSClientConfig: rest.TLSClientConfig{CAData: ca}})
	must(t, err)
	client, err := rest.HTTPClientFor(config)
	must(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func send(t *testing.T, client *http.Client, method, address string, body io.Reader) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	must(t, err)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestTheFenceHoldsWritesAndNothingElse(t *testing.T) {
	for _, test := range []struct {
		name, method, path string
		held               bool
	}{
		{"a Secret is read", "GET", "/api/v1/namespaces/a/secrets/regcred", false},
		{"a write is tried without effect", "PUT", "/api/v1/namespaces/a/secrets/regcred?dryRun=All", true},
		{"Secrets are watched", "GET", "/api/v1/secrets?watch=true", false},
		{"a token is reviewed", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", false},
		{"a right is asked about", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", false},
		{"a token is requested", "POST", "/api/v1/namespaces/regcred-system/serviceaccounts/regcred-vault/token", false},
		{"a record is created", "POST", "/api/v1/namespaces/regcred-system/secrets", true},
		{"a Secret is applied", "PATCH", "/api/v1/namespaces/a/secrets/regcred", true},
		{"a Secret is updated", "PUT", "/api/v1/namespaces/a/secrets/regcred", true},
		{"a ServiceAccount is patched", "PATCH", "/api/v1/namespaces/a/serviceaccounts/default", true},
		{"a ServiceAccount called token is patched", "PATCH", "/api/v1/namespaces/a/serviceaccounts/token", true},
		{"a pod is deleted", "DELETE", "/api/v1/namespaces/a/pods/b", true},
		{"a status is patched", "PATCH", "/apis/regcred.dev/v1alpha1/registrycredentials/a/status", true},
		{"an event is created", "POST", "/apis/events.k8s.io/v1/namespaces/a/events", true},
		{"a way that nobody foresaw", "POST", "/apis/any.example/v1/tokenreviews", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := startServer(t)
			f, clock := newFence()
			client := server.client(t, f)
			err := send(t, client, test.method, server.URL+test.path, nil)
			if held := errors.Is(err, ErrClosed); held != test.held || !held && err != nil {
				t.Errorf("without a lease: %v, want held: %t", err, test.held)
			}
			if arrived := len(server.whole()); (arrived == 0) != test.held {
				t.Errorf("%d requests arrived without a lease", arrived)
			}
			f.renew(clock.now())
			must(t, send(t, client, test.method, server.URL+test.path, nil))
		})
	}
}

// stopper is a body during whose reading the process is stopped for a while: the fence was asked before, and the bytes come after.
type stopper struct {
	io.Reader
	stop func()
}

func (s *stopper) Read(p []byte) (int, error) {
	s.stop()
	return s.Reader.Read(p)
}

func TestAWriteThatWasLetThroughAndWaitedIsNotSent(t *testing.T) {
	for _, stop := range []time.Duration{time.Second, terms.Write} {
		server := startServer(t)
		f, clock := newFence()
		client := server.client(t, f)
		f.renew(clock.now())
		err := send(t, client, "PUT", server.URL, &stopper{strings.NewReader("late"), func() { clock.pass(stop, stop) }})
		late := stop >= terms.Write
		if (err != nil) != late {
			t.Errorf("stopped for %s: %v", stop, err)
		}
		server.Close() // waits for what is under way
		if arrived := len(server.whole()); (arrived == 0) != late {
			t.Errorf("stopped for %s: %d requests arrived", stop, arrived)
		}
	}
}

func TestAWriteIsToEndWithTheLease(t *testing.T) {
	server := startServer(t)
	f, clock := newFence()
	client := server.client(t, f)
	f.renew(clock.now())
	clock.pass(2500*time.Millisecond, 2500*time.Millisecond)
	must(t, send(t, client, "PUT", server.URL+"/?fieldManager=regcred", nil))
	must(t, send(t, client, "GET", server.URL+"/?limit=1", nil))
	var queries []string
	for _, request := range server.whole() {
		queries = append(queries, request.URL.RawQuery)
		if request.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("%s %s was sent without its token", request.Method, request.URL)
		}
		if request.ProtoMajor != 2 {
			t.Errorf("%s was sent by %s", request.Method, request.Proto)
		}
	}
	if got, want := strings.Join(queries, " "), "fieldManager=regcred&timeout=9.5s limit=1"; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}
