package vault

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	// loginPause is the time between two logins while they fail.
	loginPause = time.Minute
	// renewPause is the time between two tries to renew a token that lives.
	renewPause = 15 * time.Second
	// relogin is how often at most a denied read makes us log in again though the token lives: the policies of a role can
	// have changed since, and a token keeps those of its login.
	relogin = 5 * time.Minute
)

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
	users     *sync.WaitGroup

	// under the connection's mutex
	renewAt   time.Time // zero: never
	checkedAt time.Time // when Vault last said that the token lives
	leases    map[string]bool
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
		ours: c.spec.Auth.Token == nil, users: &sync.WaitGroup{}, checkedAt: now, leases: map[string]bool{},
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
	if failure := c.takeTurn(ctx); failure != nil {
		return failure
	}
	defer c.endTurn()
	c.mu.Lock()
	changed := c.current != seen || (seen != nil && !seen.due(c.now()) && seen.alive(c.now()))
	c.mu.Unlock()
	if changed {
		return nil
	}
	// Others wait for this: it must not end because the first caller gives up.
	ctx = context.WithoutCancel(ctx)
	if seen != nil && seen.alive(c.now()) {
		return c.prolong(ctx, seen)
	}
	return c.logIn(ctx)
}

// prolong renews a living token, or logs in again where it cannot be renewed any further. While that fails the
// token goes on being used to its end.
func (c *connection) prolong(ctx context.Context, s *session) *failure {
	if s.renewable {
		if renewed := c.renew(ctx, s); renewed {
			return nil
		}
	}
	if s.ours {
		if failure := c.logIn(ctx); failure == nil {
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.renewAt = c.now().Add(renewPause)
	return nil
}

// renew prolongs the token and reports whether that gave it most of its lifetime back.
func (c *connection) renew(ctx context.Context, s *session) bool {
	a, failure := c.send(ctx, c.place(), func(ctx context.Context) (*answer, error) {
		return put(ctx, s.client, "auth/token/renew-self", map[string]any{})
	})
	if failure != nil || a.content.Auth == nil {
		return false
	}
	now := c.now()
	lifetime := time.Duration(a.content.Auth.LeaseDuration) * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	renewed := *s
	renewed.renewable = a.content.Auth.Renewable
	renewed.checkedAt = now
	renewed.limit(lifetime, now)
	if c.current != s {
		return true
	}
	c.current = &renewed
	c.metrics.TokenExpires(c.name, renewed.expires)
	// Near its maximum a token gets less and less. One of ours is then replaced in good time.
	return !s.ours || lifetime >= s.lifetime/2
}

// logIn logs in, at most once a minute while that fails, and puts the new session in the place of the current one.
func (c *connection) logIn(ctx context.Context) *failure {
	now := c.now()
	if wait := c.nextLogin.Sub(now); wait > 0 {
		known := *c.loginFailure
		known.wait = wait + spread(loginPause/6)
		return &known
	}
	if !c.logins.AllowN(now, 1) {
		f := outcomeDeadToken.at(c.place())
		f.wait = renewPause
		return f
	}
	g, failure := c.login(ctx)
	if failure == nil {
		failure = c.proveNamespace(ctx, g)
	}
	if failure == nil {
		var s *session
		var err error
		if s, err = c.newSession(g, c.now()); err == nil {
			c.replace(s)
			c.metrics.Login(c.name, c.method(), outcomeRead.Reason)
			return nil
		}
		failure = outcomeLoginRefused.at(c.place()).because(err).saying("the token cannot be used")
	}
	c.metrics.Login(c.name, c.method(), failure.Reason)
	if !failure.neverArrived() {
		c.nextLogin = now.Add(loginPause + spread(loginPause/6))
		failure.wait = max(failure.wait, c.nextLogin.Sub(now))
		kept := *failure // the gate may still change what is returned
		c.loginFailure = &kept
	}
	return failure
}

// neverArrived reports whether the auth method did not see the request, so that the gate alone says when to try again.
func (f *failure) neverArrived() bool {
	switch f.Outcome {
	case outcomeSealed, outcomeNoActive, outcomeUnreachable, outcomeTLS, outcomeRedirect:
		return true
	}
	return false
}

// replace makes s the current session and retires the one before.
func (c *connection) replace(s *session) {
	c.mu.Lock()
	before := c.current
	c.current = s
	c.mu.Unlock()
	c.metrics.TokenExpires(c.name, s.expires)
	c.retire(before)
}

// drop forgets a session whose token is dead.
func (c *connection) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		c.current = nil
	}
}

// retire ends a session that is no longer current.
func (c *connection) retire(s *session) {
	c.retiring.Go(func() { c.end(s) })
}

// end revokes the token of a session after its last request. A token that holds a lease is left to end by itself,
// because its leases would end with it.
func (c *connection) end(s *session) {
	if s == nil || !s.ours {
		return
	}
	s.users.Wait()
	c.mu.Lock()
	idle := len(s.leases) == 0
	c.mu.Unlock()
	if !idle || !s.alive(c.now()) {
		return
	}
	// Nobody waits for the answer: a token that cannot be revoked now ends by itself.
	_, _ = c.sendOnce(context.Background(), c.place(), func(ctx context.Context) (*answer, error) {
		return put(ctx, s.client, "auth/token/revoke-self", map[string]any{})
	})
}

// afterForbidden finds out what a 403 means. It returns nil where a second try is worth while, with another session.
func (c *connection) afterForbidden(ctx context.Context, s *session, denied *failure) *failure {
	now := c.now()
	c.mu.Lock()
	replaced := c.current == nil || c.current.token != s.token
	proven, blind := now.Sub(s.checkedAt) < renewPause && c.sighted, c.blind
	c.mu.Unlock()
	if replaced {
		return nil
	}
	if !proven && !blind {
		dead, failure := c.examine(ctx, s)
		if failure != nil {
			return failure
		}
		if dead {
			c.drop(s)
			return nil
		}
	}
	pause := relogin
	if blind {
		pause = loginPause
	}
	if !s.ours || now.Sub(s.obtained) < pause {
		return denied
	}
	if failure := c.logInAgain(ctx, s); failure != nil {
		return denied
	}
	return nil
}

// examine asks Vault whether the token of a session lives. Some policies do not let a token look itself up: where a
// token that was just issued cannot, the answer means nothing, and nobody is asked again.
func (c *connection) examine(ctx context.Context, s *session) (dead bool, _ *failure) {
	_, failure := c.lookupSelf(ctx, s.token)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case failure == nil:
		s.checkedAt, c.sighted = c.now(), true
		return false, nil
	case failure.Outcome != outcomeDenied:
		return false, failure
	case s.ours && c.now().Sub(s.obtained) < renewPause:
		c.blind = !c.sighted
		return c.sighted, nil
	default:
		return true, nil
	}
}

// logInAgain puts a new session in the place of s, whose token lives.
func (c *connection) logInAgain(ctx context.Context, s *session) *failure {
	if failure := c.takeTurn(ctx); failure != nil {
		return failure
	}
	defer c.endTurn()
	c.mu.Lock()
	replaced := c.current == nil || c.current.token != s.token
	c.mu.Unlock()
	if replaced {
		return nil
	}
	return c.logIn(context.WithoutCancel(ctx))
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
