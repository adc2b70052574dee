package vault

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// renewPause is the time between two tries to renew a token that lives.
const renewPause = 15 * time.Second

// session is one token with its client. A renewal or a new login makes a new session; nothing that a request uses ever
// changes under it.
type session struct {
	client    *api.Client
	token     string
	obtained  time.Time
	lifetime  time.Duration // as given at the login
	expires   time.Time     // zero: without end
	renewable bool
	ours      bool // made by a login of ours, so ours to revoke
	sighted   bool // Vault lets the token look itself up
	users     *sync.WaitGroup

	// under the connection's mutex
	renewAt time.Time // zero: never
	leases  map[string]bool
}

func (s *session) alive(now time.Time) bool { return s.expires.IsZero() || now.Before(s.expires) }

func (s *session) due(now time.Time) bool { return !s.renewAt.IsZero() && !now.Before(s.renewAt) }

// newSession makes a session of a grant.
func (c *connection) newSession(g *grant, now time.Time) (*session, error) {
	client, err := c.client(g.token)
	if err != nil {
		return nil, err
	}
	s := &session{
		client: client, token: g.token, obtained: now, lifetime: g.lifetime, renewable: g.renewable,
		ours: c.spec.Auth.Token == nil, users: &sync.WaitGroup{}, leases: map[string]bool{},
	}
	s.limit(g.lifetime, now)
	return s, nil
}

// limit sets the end of the token, and renewal at about two thirds of the way there.
func (s *session) limit(lifetime time.Duration, now time.Time) {
	if lifetime <= 0 {
		return
	}
	s.expires = now.Add(lifetime)
	if s.renewable || s.ours {
		s.renewAt = now.Add(lifetime*2/3 - spread(lifetime/15))
	}
}

// acquire gives the session to use, logging in where there is none. The caller must call users.Done.
func (c *connection) acquire(ctx context.Context) (*session, *failure) {
	for {
		now := c.now()
		c.mu.Lock()
		s := c.current
		if s != nil && s.alive(now) && !s.due(now) {
			s.users.Add(1)
			c.mu.Unlock()
			return s, nil
		}
		c.mu.Unlock()
		if failure := c.refresh(ctx, s); failure != nil {
			return nil, failure
		}
	}
}

// refresh replaces the session that the caller saw, one caller at a time. It returns nil when it is worth while to look
// again.
func (c *connection) refresh(ctx context.Context, seen *session) *failure {
	return c.inTurn(ctx, func(ctx context.Context) *failure {
		c.mu.Lock()
		changed := c.current != seen || (seen != nil && !seen.due(c.now()) && seen.alive(c.now()))
		c.mu.Unlock()
		if changed {
			return nil
		}
		if seen != nil && seen.alive(c.now()) {
			return c.prolong(ctx, seen)
		}
		return c.logIn(ctx)
	})
}

// inTurn does something when it is the caller's turn, and ends the turn. Others wait for the outcome, so it goes on when the caller
// gives up; and a caller may give up, however long it takes.
func (c *connection) inTurn(ctx context.Context, do func(context.Context) *failure) *failure {
	if f := c.takeTurn(ctx); f != nil {
		return f
	}
	done := make(chan *failure, 1)
	c.usage.join()
	go func() {
		defer c.usage.leave()
		defer c.endTurn()
		done <- do(context.WithoutCancel(ctx))
	}()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
		return outcomeSlow.at(c.place()).because(ctx.Err())
	}
}

// prolong renews a living token, or logs in again where it cannot be renewed any further. While neither succeeds the
// token goes on being used to its end.
func (c *connection) prolong(ctx context.Context, s *session) *failure {
	if s.renewable {
		renewed, failure := c.renew(ctx, s)
		if renewed {
			return nil
		}
		if failure != nil && failure.wholeServer() {
			c.postpone(s)
			return nil
		}
	}
	if !s.ours || c.logIn(ctx) != nil {
		c.postpone(s)
	}
	return nil
}

func (c *connection) postpone(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.renewAt = c.now().Add(renewPause)
}

// renew prolongs the token and reports whether that gave it most of its lifetime back. Near its maximum a token gets
// less and less: one of ours is then replaced in good time.
func (c *connection) renew(ctx context.Context, s *session) (bool, *failure) {
	a, failure := c.send(ctx, c.place(), func(ctx context.Context) (*answer, error) {
		return put(ctx, s.client, "auth/token/renew-self", map[string]any{})
	})
	if failure != nil || a.content.Auth == nil || a.content.Auth.LeaseDuration <= 0 {
		return false, failure
	}
	now := c.now()
	lifetime := time.Duration(a.content.Auth.LeaseDuration) * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != s {
		return true, nil
	}
	renewed := *s
	renewed.renewable = a.content.Auth.Renewable
	renewed.limit(lifetime, now)
	c.current = &renewed
	c.metrics.TokenExpires(c.name, renewed.expires)
	return !s.ours || lifetime >= s.lifetime/2, nil
}

// takeTurn waits for the right to log in or renew, which one caller has at a time.
func (c *connection) takeTurn(ctx context.Context) *failure {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return outcomeSlow.at(c.place()).because(ctx.Err())
	}
}

func (c *connection) endTurn() { <-c.turn }
