package vault

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"regcred.dev/regcred/internal/source"
)

const (
	// pulse is how often a socket is looked after, pingEvery how many pulses lie between two pings, pingLimit how long one may take.
	pulse     = 5 * time.Second
	pingEvery = 6
	pingLimit = 10 * time.Second
)

// subscription is one socket of a connection over which its server tells what was written. It makes reads come earlier and is never the
// only reason for one: whatever it misses is read at the refresh period.
type subscription struct {
	connection *connection
	interests  *interests
	tell       func(source.News)
	say        func(connection, message string)

	mu      sync.Mutex
	closed  bool
	cancel  context.CancelFunc // nil while nothing runs
	running sync.WaitGroup

	// these belong to the goroutine that runs
	backOff  backOff
	said     string
	lastLook time.Time
	// looked are the places that are read at lastLook.
	looked   map[source.Place]bool
	followed bool // once at least
}

// ensure starts the subscription where there is something that it could tell of.
func (s *subscription) ensure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.cancel != nil || s.tell == nil || s.interests.empty() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.running.Go(func() { s.run(ctx) })
}

// close ends the subscription and returns when none of its goroutines is left.
func (s *subscription) close() {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *subscription) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.pause(ctx, s.follow(ctx))
	}
}

// pause waits, and no longer than until another token is in use where it is the token that may not.
func (s *subscription) pause(ctx context.Context, p pause) {
	for left := p.wait; left > 0; left -= pulse {
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(left, pulse)):
		}
		if p.of != nil && s.connection.tokens.replaced(p.of) {
			return
		}
	}
}

// pause is for how long no socket is opened.
type pause struct {
	wait time.Duration
	// of is the session that was refused, nil where it has nothing to do with that.
	of *session
}

// socket is one that is open: for the best pattern that was wanted, with the token of a session.
type socket struct {
	*websocket.Conn
	wanted  string
	session *session
}

// follow subscribes and listens until the socket ends. It gives the time after which to try again.
func (s *subscription) follow(ctx context.Context) pause {
	c := s.connection
	if refused := c.gate.peek(c.now()); refused != nil {
		return pause{wait: max(refused.wait, pulse)} // the server is not well: those who read find out when it is
	}
	current := c.tokens.present()
	if current == nil {
		return pause{wait: pulse}
	}
	open, refusal := s.subscribe(ctx, current)
	if refusal != nil {
		if s.followed {
			refusal = refusal.withEvents()
		}
		s.once(refusal.message)
		p := pause{wait: s.backOff.after(*refusal)}
		if refusal.ofToken {
			p.of = current
		}
		return p
	}
	s.followed = true
	s.once("its events are followed")
	began := time.Now()
	told := s.listen(ctx, open)
	return pause{wait: s.backOff.ended(time.Since(began), told)}
}

// once says what became of the subscription, where that changed.
func (s *subscription) once(message string) {
	if s.said != message {
		s.said = message
		s.say(s.connection.name, message)
	}
}

// subscribe opens the socket for the first pattern that the policy allows.
func (s *subscription) subscribe(ctx context.Context, current *session) (socket, *refusal) {
	var last *refusal
	patterns := s.interests.patterns(s.connection.now())
	for _, pattern := range patterns {
		conn, status, err := s.dial(ctx, current, pattern)
		if err == nil {
			return socket{conn, patterns[0], current}, nil
		}
		if last = refusalOf(status); status != http.StatusForbidden {
			break
		}
	}
	return socket{}, last
}

// dial opens a socket as every other request goes out: by the connection's client, with its CA, proxy, limits and rules for redirects.
func (s *subscription) dial(ctx context.Context, current *session, pattern string) (*websocket.Conn, int, error) {
	c := s.connection
	ctx, cancel := context.WithTimeout(ctx, c.spec.Timeout())
	defer cancel()
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, 0, err
	}
	address := strings.TrimRight(c.spec.Address, "/") + "/v1/sys/events/subscribe/" + url.PathEscape(pattern) + "?json=true"
	header := http.Header{"X-Vault-Token": {current.token}, "X-Vault-Request": {"true"}}
	if c.spec.VaultNamespace != "" {
		header.Set("X-Vault-Namespace", c.spec.VaultNamespace)
	}
	control := newControlLimit()
	options := &websocket.DialOptions{HTTPClient: c.http, HTTPHeader: header, OnPingReceived: control.answers, OnPongReceived: control.notes}
	conn, response, err := websocket.Dial(ctx, address, options) //nolint:bodyclose // it needs no close, says the library
	if err != nil {
		if response != nil {
			return nil, response.StatusCode, err
		}
		return nil, 0, err
	}
	conn.SetReadLimit(maxEvent)
	return conn, 0, nil
}

// listen takes messages until the socket breaks, or is to be opened again, and reports whether one told something. Before it, something
// may have been missed.
func (s *subscription) listen(ctx context.Context, open socket) (told bool) {
	var keeper sync.WaitGroup
	defer keeper.Wait()
	defer open.CloseNow() //nolint:errcheck // it is of no use any more, whatever is said of its end
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	keeper.Go(func() {
		defer cancel()
		s.lookAfter(ctx, open)
	})
	s.lookAtAll()
	for {
		kind, message, err := open.Read(ctx)
		if err != nil {
			return told
		}
		if kind == websocket.MessageText {
			told = s.take(message) || told
		}
	}
}

// lookAfter counts how long the socket is up, and sees when it is dead, when the token is another one, or when what is read since has
// events of other types. It returns then.
func (s *subscription) lookAfter(ctx context.Context, open socket) {
	c, counted := s.connection, time.Now()
	count := func() {
		now := time.Now()
		c.metrics.EventsFollowed(c.name, now.Sub(counted))
		counted = now
	}
	defer count()
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		count()
		if c.tokens.replaced(open.session) || s.interests.patterns(c.now())[0] != open.wanted {
			return
		}
		if n%pingEvery == 0 && !alive(ctx, open.Conn) {
			return
		}
	}
}

func alive(ctx context.Context, conn *websocket.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	return conn.Ping(ctx) == nil
}
