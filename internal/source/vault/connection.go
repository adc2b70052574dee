package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// connection is one VaultConnection as it was at one time: its object, CA and secrets. A change of any of them makes a
// new connection in its place.
type connection struct {
	name string
	uid  types.UID
	// generation of the object: the API server counts it up with each change of the spec.
	generation int64
	spec       v1alpha1.VaultConnectionSpec
	material   material

	http         *http.Client
	limiter      *rate.Limiter
	gate         gate
	sharing      sharing
	now          func() time.Time
	metrics      Metrics
	requestToken TokenRequester

	usage     usage
	tokens    tokenLife
	events    subscription
	unused    *unused    // of all connections
	gathering chan proof // of an identity that a cloud gives, under way; nil if none is. It belongs to whoever logs in

	maintaining sync.Mutex // held while the token is renewed or replaced without a reader

	mu      sync.Mutex
	version string // of the server, as it said last
}

// madeOf reports whether neither the object nor its material changed since the connection was made.
func (c *connection) madeOf(object *v1alpha1.VaultConnection, collected material) bool {
	return c.uid == object.UID && c.generation == object.Generation && c.material.equal(collected)
}

// place names the connection in messages.
func (c *connection) place() string { return placeOf(c.name, c.spec.Address) }

func placeOf(name, address string) string { return "VaultConnection " + name + " (" + address + ")" }

// asking makes a question of one that needs a client, for a token and a Vault namespace.
func (c *connection) asking(namespace, token string, ask func(context.Context, *api.Client) (*answer, error)) func(context.Context) (*answer, error) {
	return func(ctx context.Context) (*answer, error) {
		client, err := newAPIClient(c.spec.Address, namespace, token, c.http)
		if err != nil {
			return nil, err
		}
		return ask(ctx, client)
	}
}

// read gets a path, as seldom as can be: through the gate, with the current token, and once more where the token had
// died.
func (c *connection) read(ctx context.Context, place, path string, ask reader) (a *answer, f *failure) {
	f = c.throughGate(ctx, func() *failure {
		a, f = c.readAsUs(ctx, place, path, ask)
		return f
	})
	return a, f
}

// throughGate does something if the server is well, or if it is our turn to probe and its health is good.
func (c *connection) throughGate(ctx context.Context, do func() *failure) (f *failure) {
	probe, refused := c.gate.enter(c.now())
	if refused != nil {
		return refused
	}
	defer func() { c.gate.leave(c.now(), probe, f) }()
	if probe {
		if sick := c.health(ctx); sick != nil {
			return sick
		}
	}
	return do()
}

// readAsUs reads with the current token.
func (c *connection) readAsUs(ctx context.Context, place, path string, ask reader) (*answer, *failure) {
	return c.asUs(ctx, place, func(s *session) (*answer, *failure) { return c.readWith(ctx, s, place, path, ask) })
}

// readWith reads with the token of a session and notes the lease that came of it, if any.
func (c *connection) readWith(ctx context.Context, s *session, place, path string, ask reader) (*answer, *failure) {
	var asked time.Time
	a, failure := c.send(ctx, place, func(ctx context.Context) (*answer, error) {
		asked = c.now()
		return ask(ctx, s.client, path)
	})
	if failure != nil {
		return a, failure
	}
	a.read = readContext{at: asked, token: s.token, tokenExpires: s.expires}
	if a.content.LeaseID != "" {
		c.tokens.noteLease(s, a.content.LeaseID)
	}
	return a, nil
}

// send sends one request within the connection's limits, and says which outcome it had. A failure that may be the
// server's or the path's own is settled by asking the server's health.
func (c *connection) send(ctx context.Context, place string, ask func(context.Context) (*answer, error)) (*answer, *failure) {
	a, failure := c.sendOnce(ctx, place, ask)
	if failure == nil || ctx.Err() != nil {
		return a, failure
	}
	switch failure.Outcome {
	case outcomeServerError, outcomeSlow, outcomeBroken, outcomeNotVault:
		if sick := c.health(ctx); sick != nil {
			return a, sick
		}
	}
	if failure.Outcome == outcomeNotVault {
		failure = outcomeNoAnswer.at(failure.place).saying(failure.detail)
	}
	return a, failure
}

func (c *connection) sendOnce(ctx context.Context, place string, ask func(context.Context) (*answer, error)) (*answer, *failure) {
	ctx, cancel := context.WithTimeout(ctx, c.spec.Timeout())
	defer cancel()
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, outcomeOwnLimit.at(place).because(err)
	}
	a, err := ask(ctx)
	return a, classify(place, a, err)
}

// health asks the server how it is, without token or namespace. It returns nil where the server is well, and where it
// does not say.
func (c *connection) health(ctx context.Context) *failure {
	a, failure := c.sendOnce(ctx, c.place(), c.asking("", "", func(ctx context.Context, client *api.Client) (*answer, error) {
		return get(ctx, client, "sys/health", url.Values{"standbyok": {"true"}, "perfstandbyok": {"true"}})
	}))
	if a == nil {
		switch failure.Outcome {
		case outcomeSlow, outcomeOwnLimit:
			return outcomeUnreachable.at(c.place()).because(failure.cause).saying("no answer in time")
		case outcomeBroken, outcomeOversized:
			return outcomeUnreachable.at(c.place()).because(failure.cause).saying("the connection broke")
		}
		return failure
	}
	if unwell := c.unwell(a.body); unwell != nil {
		return unwell
	}
	switch {
	case failure == nil:
	case failure.Outcome == outcomeServerError:
		return outcomeOutage.at(c.place()).saying(failure.detail)
	case failure.wholeServer():
		return failure
	}
	return nil
}

// longestVersion is the most bytes of a server's version that are shown.
const longestVersion = 64

// unwell is what the body of sys/health says against the server, nil where it says nothing. It notes the server's version.
func (c *connection) unwell(body []byte) *failure {
	var says api.HealthResponse
	_ = json.Unmarshal(body, &says) // what cannot be read has no version
	if says.Version == "" {
		return nil
	}
	c.mu.Lock()
	c.version = foreign.Text(says.Version, longestVersion)
	c.mu.Unlock()
	switch {
	case !says.Initialized:
		return outcomeOutage.at(c.place()).saying("it is not initialised")
	case says.Sealed:
		return outcomeSealed.at(c.place())
	}
	return nil
}

// maintain renews or replaces the token when that is due, without a reader.
func (c *connection) maintain(ctx context.Context) {
	if !c.usage.enter() {
		return
	}
	defer c.usage.leave()
	if !c.maintaining.TryLock() {
		return
	}
	defer c.maintaining.Unlock()
	c.events.ensure()
	if c.tokens.isDue() {
		_ = c.throughGate(ctx, func() *failure {
			s, failure := c.tokens.acquire(ctx)
			if failure == nil {
				s.users.Done()
			}
			return failure // the gate keeps it; the next reader reports it
		})
	}
	c.giveBackWhatIsDue(ctx)
}

// close ends the connection after its last request: the token is revoked, and no goroutine of the pool stays.
func (c *connection) close() {
	c.events.close()
	c.usage.close()
	c.tokens.close()
	c.http.CloseIdleConnections()
}
