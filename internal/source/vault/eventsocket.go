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
	// subscribing is how long a server takes at most from the answer that opens a socket until it sends over it what is written.
	subscribing = time.Second
	// lookSpread is over how long the places of a connection are looked at after a gap, lookPause the least time between two such looks.
	lookSpread = 15 * time.Second
	lookPause  = 30 * time.Second
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
		wait := s.follow(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// follow subscribes and listens until the socket ends. It gives the time after which to try again.
func (s *subscription) follow(ctx context.Context) time.Duration {
	c := s.connection
	if refused := c.gate.peek(c.now()); refused != nil {
		return max(refused.wait, pulse) // the server is not well: those who read find out when it is
	}
	current := c.tokens.present()
	if current == nil {
		return pulse
	}
	conn, refusal := s.subscribe(ctx, current)
	if refusal != nil {
		s.once(refusal.message)
		return s.backOff.after(*refusal)
	}
	s.once("its events are followed")
	began := time.Now()
	told := s.listen(ctx, conn, current)
	return s.backOff.ended(time.Since(began), told)
}

// once says what became of the subscription, where that changed.
func (s *subscription) once(message string) {
	if s.said != message {
		s.said = message
		s.say(s.connection.name, message)
	}
}

// subscribe opens the socket for the first pattern that the policy allows.
func (s *subscription) subscribe(ctx context.Context, current *session) (*websocket.Conn, *refusal) {
	var last *refusal
	for _, pattern := range s.interests.patterns(s.connection.now()) {
		conn, status, err := s.dial(ctx, current, pattern)
		if err == nil {
			return conn, nil
		}
		if last = refusalOf(status); status != http.StatusForbidden {
			break
		}
	}
	return nil, last
}

// dial opens a socket as every other request goes out: by the connection's client, with its CA, proxy, limits and rules for redirects.
func (s *subscription) dial(ctx context.Context, current *session, pattern string) (*websocket.Conn, int, error) {
	c := s.connection
	ctx, cancel := context.WithTimeout(ctx, c.spec.Timeout())
	defer cancel()
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, 0, err
	}
	address, err := url.Parse(c.spec.Address)
	if err != nil {
		return nil, 0, err
	}
	address.Path = strings.TrimSuffix(address.Path, "/") + "/v1/sys/events/subscribe/" + pattern
	address.RawQuery = "json=true"
	header := http.Header{"X-Vault-Token": {current.token}, "X-Vault-Request": {"true"}}
	if c.spec.VaultNamespace != "" {
		header.Set("X-Vault-Namespace", c.spec.VaultNamespace)
	}
	control := newControlLimit()
	options := &websocket.DialOptions{HTTPClient: c.http, HTTPHeader: header, OnPingReceived: control.answers, OnPongReceived: control.notes}
	conn, response, err := websocket.Dial(ctx, address.String(), options) //nolint:bodyclose // it needs no close, says the library
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
func (s *subscription) listen(ctx context.Context, conn *websocket.Conn, current *session) (told bool) {
	var keeper sync.WaitGroup
	defer keeper.Wait()
	defer conn.CloseNow() //nolint:errcheck // it is of no use any more, whatever is said of its end
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	keeper.Go(func() {
		defer cancel()
		s.lookAfter(ctx, conn, current)
	})
	s.lookAtAll()
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return told
		}
		if kind == websocket.MessageText {
			told = s.take(message) || told
		}
	}
}

// lookAfter counts how long the socket is up, and sees when it is dead or when the token is another one. It returns then.
func (s *subscription) lookAfter(ctx context.Context, conn *websocket.Conn, current *session) {
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
		if c.tokens.replaced(current) {
			return
		}
		if n%pingEvery == 0 && !alive(ctx, conn) {
			return
		}
	}
}

func alive(ctx context.Context, conn *websocket.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// take has the places read that a message names, and reports whether it names any path.
func (s *subscription) take(message []byte) bool {
	news := parseEvent(message)
	now := s.connection.now()
	for _, place := range s.interests.at(news.paths) {
		s.tell(source.News{Place: place, Time: now, State: news.state})
	}
	return len(news.paths) > 0
}

// lookAtAll has all places read once, not all at the same time. Sockets that break again and again do not make that happen more often.
func (s *subscription) lookAtAll() {
	now := s.connection.now()
	if s.lastLook.After(now) {
		return // what was missed is seen by the look that lies ahead
	}
	from := now
	if again := s.lastLook.Add(lookPause); again.After(now) {
		from = again
	}
	s.lastLook = from
	for _, place := range s.interests.all() {
		s.tell(source.News{Place: place, Time: from.Add(subscribing + spread(lookSpread))})
	}
}
