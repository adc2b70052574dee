package vault

import (
	"context"
	"time"
)

// loginPause is the time between two logins while they fail.
const loginPause = time.Minute

// logIn logs in, at most once a minute while that fails, and puts the new session in the place of the current one. The
// caller has the turn.
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
	s, failure := c.openSession(ctx)
	if failure == nil {
		c.replace(s)
		c.metrics.Login(c.name, methodOf(c.spec.Auth), outcomeRead.Reason)
		return nil
	}
	c.metrics.Login(c.name, methodOf(c.spec.Auth), failure.Reason)
	if !failure.neverArrived() {
		c.nextLogin = now.Add(loginPause + spread(loginPause/6))
		failure.wait = max(failure.wait, c.nextLogin.Sub(now))
		kept := *failure // the gate may still change what is returned
		c.loginFailure = &kept
	}
	return failure
}

// openSession logs in, lets the token look itself up, and makes sure that it belongs where it should. Whether it may look
// itself up depends on its policies, and has to be known when a read is denied later: now it surely lives.
func (c *connection) openSession(ctx context.Context) (*session, *failure) {
	g, failure := c.login(ctx)
	if failure != nil {
		return nil, failure
	}
	s, err := c.newSession(g, c.now())
	if err != nil {
		return nil, outcomeLoginFailed.at(c.place()).because(err).saying("no client could be made")
	}
	if g.about == nil {
		g.about, failure = c.lookupSelf(ctx, g.token)
	}
	s.sighted = failure == nil
	if s.sighted || failure.Outcome == outcomeDenied {
		failure = c.proveNamespace(ctx, g.about)
	}
	if failure != nil {
		c.retire(s)
		return nil, failure
	}
	return s, nil
}

// neverArrived reports whether the auth method did not see the request, so that the gate alone says when to try again.
func (f *failure) neverArrived() bool {
	switch f.Outcome {
	case outcomeSealed, outcomeNoActive, outcomeUnreachable, outcomeProxy, outcomeTLS, outcomeRedirect:
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
