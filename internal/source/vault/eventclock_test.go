package vault

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"regcred.dev/regcred/internal/source"
)

// followed counts for how long events were followed.
type followed struct {
	noMetrics
	mu  sync.Mutex
	sum time.Duration
}

func (f *followed) EventsFollowed(_ string, more time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sum += more
}

func (f *followed) total() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sum
}

// alone is a subscription of a connection without a server, and the session in use.
func alone() (*subscription, *session, *followed) {
	counted := &followed{}
	c := &connection{now: time.Now, metrics: counted}
	current := &session{token: "t"}
	c.tokens.connection, c.tokens.current = c, current
	return &subscription{connection: c, interests: &interests{}, tell: func(source.News) {}}, current, counted
}

func (s *subscription) use(token string) {
	s.connection.tokens.mu.Lock()
	defer s.connection.tokens.mu.Unlock()
	s.connection.tokens.current = &session{token: token}
}

func TestHowLongNoSocketIsOpened(t *testing.T) {
	for _, test := range []struct {
		name      string
		ofToken   bool
		otherFrom time.Duration // another token is in use from then on, 0: never
		want      time.Duration
	}{
		{"as long as it is to be", false, 0, time.Minute},
		{"as long as the token is the same", true, 0, time.Minute},
		{"until another token is in use", true, 12 * time.Second, 15 * time.Second},
		{"as long as it is to be, where that has nothing to do with the token", false, 12 * time.Second, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, current, _ := alone()
				p := pause{wait: time.Minute}
				if test.ofToken {
					p.of = current
				}
				if test.otherFrom > 0 {
					time.AfterFunc(test.otherFrom, func() { s.use("other") })
				}
				began := time.Now()
				s.pause(t.Context(), p)
				if took := time.Since(began); took != test.want {
					t.Errorf("it took %s, want %s", took, test.want)
				}
			})
		})
	}
}

// pipes is a listener whose connections are pipes: the clock of a test goes on while they wait.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// dialler serves a handler, and gives what connects to it.
func dialler(t *testing.T, server *http.Server) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	listener := make(pipes)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		close(listener)
		_ = server.Close()
		serving.Wait()
	})
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		listener <- theirs
		return ours, nil
	}
}

// piped opens a socket to a server that answers its pings, or does not.
func piped(t *testing.T, answers bool) *websocket.Conn {
	t.Helper()
	ended := make(chan struct{})
	dial := dialler(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool { return answers }})
		if err != nil {
			t.Error(err)
			return
		}
		conn.CloseRead(context.Background())
		<-ended
		_ = conn.CloseNow()
	})})
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	conn, _, err := websocket.Dial(t.Context(), "http://vault.invalid/", &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // it needs no close, says the library
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.CloseNow()
		close(ended)
	})
	return conn
}

// Whoever closes a connection waits for what its subscription still does.
func TestASubscriptionThatIsClosedSaysNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := alone()
		s.connection.limiter = rate.NewLimiter(1, 0) // no socket is opened
		s.interests.note("a", placeNamed("a"), false, time.Now())
		goOn, closed := make(chan struct{}), make(chan struct{})
		s.say = func(string, string) { <-goOn }
		s.ensure()
		synctest.Wait() // it speaks
		go func() { s.close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("it is closed, and speaks on")
		default:
		}
		close(goOn)
		<-closed
	})
}

func TestWhatMayHaveBeenMissedIsNotReadAllAtTheSameMoment(t *testing.T) {
	s, _, _ := alone()
	at, places := map[time.Time]bool{}, map[source.Place]bool{}
	s.tell = func(n source.News) { at[n.Time], places[n.Place] = true, true }
	for n := range 20 {
		s.interests.note(fmt.Sprint(n), placeNamed(fmt.Sprint(n)), false, time.Now())
	}
	if s.lookAtAll(); len(at) < 2 || len(places) != 20 || !places[placeNamed("7")] {
		t.Errorf("%d places are read, at %v", len(places), at)
	}
}

func TestASocketIsUpUntilItIsDeadOrToBeOpenedAgain(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers bool
		act     func(*subscription) // after 12 seconds
		stop    time.Duration       // 0: it ends itself
		want    time.Duration
	}{
		{"until the subscription ends", true, nil, 5 * time.Minute, 5 * time.Minute},
		{"until another token is in use", true, func(s *subscription) { s.use("other") }, 0, 15 * time.Second},
		{"as long as the same token is in use", true, func(s *subscription) { s.use("t") }, time.Minute, time.Minute},
		{"until there is a role whose events are of another type", true, func(s *subscription) { s.interests.note("r", placeNamed("r"), true, time.Now()) }, 0, 15 * time.Second},
		{"until it answers no ping", false, nil, 0, pingEvery*pulse + pingLimit},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, current, counted := alone()
				s.interests.note("a", placeNamed("a"), false, time.Now())
				conn := piped(t, test.answers)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				began := time.Now()
				if test.act != nil {
					time.AfterFunc(12*time.Second, func() { test.act(s) })
				}
				if test.stop > 0 {
					time.AfterFunc(test.stop, stop)
				}
				time.AfterFunc(12*time.Second, func() {
					if counted.total() != 2*pulse {
						t.Errorf("after 12 seconds %s are counted", counted.total())
					}
				})
				s.listen(ctx, socket{conn, "kv*", current})
				if took := time.Since(began); took != test.want || counted.total() != test.want {
					t.Errorf("it was up for %s, and %s are counted; want %s", took, counted.total(), test.want)
				}
			})
		})
	}
}
