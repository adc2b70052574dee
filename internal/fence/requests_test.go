package fence

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// way is a transport that notes what is sent by it.
type way struct {
	sent   []*http.Request
	closed int
	do     func()
}

func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	w.sent = append(w.sent, r)
	if w.do != nil {
		w.do()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func (w *way) CloseIdleConnections() { w.closed++ }

// body notes that it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

func request(t *testing.T, method, path string, content io.Reader) *http.Request {
	t.Helper()
	made, err := http.NewRequestWithContext(t.Context(), method, "https://api.example"+path, content)
	must(t, err)
	return made
}

func TestAWriteThatIsRefusedTakesNoConnection(t *testing.T) {
	f, clock := newFence()
	reads, writes := &way{}, &way{}
	through := &transport{fence: f, reads: reads, writes: writes}
	content := &body{Reader: strings.NewReader("secret")}
	if _, err := through.RoundTrip(request(t, "PUT", "/x", content)); !errors.Is(err, ErrClosed) || len(writes.sent) != 0 {
		t.Errorf("%v, %d requests", err, len(writes.sent))
	}
	if !content.closed {
		t.Error("its body stays open")
	}
	if _, err := through.RoundTrip(request(t, "DELETE", "/x", nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("without a body: %v", err)
	}
	f.renew(clock.now())
	_, err := through.RoundTrip(request(t, "PUT", "/x", nil))
	must(t, err)
	_, err = through.RoundTrip(request(t, "GET", "/x", nil))
	must(t, err)
	if len(writes.sent) != 1 || len(reads.sent) != 1 {
		t.Errorf("%d writes, %d reads", len(writes.sent), len(reads.sent))
	}
	if through.CloseIdleConnections(); reads.closed != 1 || writes.closed != 1 {
		t.Errorf("idle connections are closed: of reads %d, of writes %d", reads.closed, writes.closed)
	}
	if through.WrappedRoundTripper() != http.RoundTripper(reads) {
		t.Error("client-go does not find what it cancels requests with")
	}
}

func TestAWriteCountsAsUnderWayUntilItIsAnswered(t *testing.T) {
	f, clock := newFence()
	f.renew(clock.now())
	through := &transport{fence: f, reads: &way{}, writes: &way{do: func() {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.drain(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("in the middle of a write: %v", err)
		}
	}}}
	_, err := through.RoundTrip(request(t, "PUT", "/x", nil))
	must(t, err)
	must(t, f.drain(t.Context()))
}

func TestTheEndThatARequestIsGivenIsItsOwn(t *testing.T) {
	for _, test := range []struct{ name, query, want string }{
		{"none is asked for", "/x?fieldManager=regcred", "fieldManager=regcred&timeout=1.234s"},
		{"one is asked for", "/x?timeout=3s", "timeout=3s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			given := request(t, "PUT", test.query, nil)
			before := given.URL.RawQuery
			if got := within(given, 1234567*time.Microsecond).URL.RawQuery; got != test.want {
				t.Errorf("%q", got)
			}
			if given.URL.RawQuery != before {
				t.Errorf("the request of the caller is changed: %q", given.URL.RawQuery)
			}
		})
	}
}

func TestOnlyATokenOfAServiceAccountIsNoWrite(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/namespaces/a/serviceaccounts/b/token":            false,
		"/clusters/c/api/v1/namespaces/a/serviceaccounts/b/token": false, // behind a proxy that has several
		"/api/v1/namespaces/a/serviceaccounts":                    true,
		"/api/v1/namespaces/a/serviceaccounts/b/other":            true,
		"/api/v1/namespaces/a/secrets/token":                      true,
	} {
		if got := writes(request(t, "POST", path, nil)); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

func TestAConnectionBreaksWhenTheFenceIsClosed(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	f, _ := newFence()
	one := &conn{Conn: ours, fence: f}
	if n, err := one.Write([]byte("late")); n != 0 || !errors.Is(err, ErrClosed) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is still there: %v", err)
	}
}

func TestTheLeaseIsGivenBackAfterTheLastOfSeveralWrites(t *testing.T) {
	f, clock := newFence()
	f.renew(clock.now())
	for range 2 {
		_, err := f.begin()
		must(t, err)
	}
	waits := make(chan error, 2)
	for range 2 { // two who wait, of whom one began later
		go func() { waits <- f.drain(t.Context()) }()
	}
	awaitWaiter(f)
	f.end()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.drain(ended); !errors.Is(err, context.Canceled) || f.landed == nil {
		t.Errorf("after the first of two writes: %v", err)
	}
	f.end()
	must(t, <-waits)
	must(t, <-waits)
	f.renew(clock.now())
	_, err := f.begin()
	must(t, err)
	f.end() // nobody waits: nothing is closed a second time
}

// awaitWaiter returns when somebody waits for writes to end.
func awaitWaiter(f *Fence) {
	for {
		f.mu.Lock()
		waits := f.landed != nil
		f.mu.Unlock()
		if waits {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// failing is a lease that nobody can read or write.
type failing struct{ shelf }

var errAway = errors.New("the API server is away")

func (f *failing) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &others, []byte("raw"), errAway
}
func (f *failing) Create(context.Context, resourcelock.LeaderElectionRecord) error { return errAway }
func (f *failing) Update(context.Context, resourcelock.LeaderElectionRecord) error { return errAway }

func TestTheElectionHearsOfEveryError(t *testing.T) {
	f, clock := newFence()
	f.renew(clock.now())
	away := &failing{shelf{identity: "us"}}
	broken := f.Lock(away).(*lock)
	if record, raw, err := broken.Get(t.Context()); !errors.Is(err, errAway) || record != &others || string(raw) != "raw" {
		t.Errorf("a look: %v, %q, %v", record, raw, err)
	}
	must(t, f.Check()) // a look that failed says nothing of who has the lease
	if err := broken.Update(t.Context(), us); !errors.Is(err, errAway) {
		t.Errorf("a renewal: %v", err)
	}
	broken.saw("us")
	if err := broken.Update(t.Context(), free); !errors.Is(err, errAway) {
		t.Errorf("to give it back: %v", err)
	}
	if err := broken.Create(t.Context(), us); !errors.Is(err, errAway) || f.Open() {
		t.Errorf("a lease that could not be created: %v, open: %t", err, f.Open())
	}
	lease := &shelf{identity: "us", record: us}
	if record, raw, err := f.Lock(lease).Get(t.Context()); err != nil || record == nil || record.HolderIdentity != "us" || string(raw) != "us" {
		t.Errorf("a look at our lease: %v, %q, %v", record, raw, err)
	}
}

func TestWhatAClientIsMadeOfStaysAsItWas(t *testing.T) {
	f := New(terms)
	given := &rest.Config{Host: "https://api.example"}
	_, err := f.Wrap(given)
	must(t, err)
	if given.Dial != nil || given.WrapTransport != nil {
		t.Error("the configuration of the caller is changed")
	}
	broken := &rest.Config{Host: "https://api.example", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("none")}}
	if wrapped, err := f.Wrap(broken); err == nil || wrapped != nil {
		t.Errorf("with a CA that cannot be read: %v, %v", wrapped, err)
	}
	if err := f.Check(); !errors.Is(err, ErrClosed) {
		t.Errorf("by its own clock: %v", err)
	}
}

// The race detector sees what is read or written without the lock.
func TestAFenceMayBeUsedByMany(t *testing.T) {
	f, clock := newFence()
	held := f.Lock(&shelf{identity: "us"}).(*lock)
	at := clock.now()
	var all sync.WaitGroup
	for range 4 {
		for _, use := range []func(){
			func() { _ = f.Check() }, func() { f.Open() }, func() { f.Refused() }, func() { f.renew(at) }, f.shut,
			func() {
				if _, err := f.begin(); err == nil {
					f.end()
				}
			},
			func() { held.saw("us") }, func() { held.holds() },
		} {
			all.Go(func() {
				for range 50 {
					use()
				}
			})
		}
	}
	all.Wait()
}
