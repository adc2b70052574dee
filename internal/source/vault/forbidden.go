package vault

import (
	"context"
	"time"
)

// relogin is how often at most a denied read makes us log in again though the token lives: the policies of a role can
// have changed since, and a token keeps those of its login.
const relogin = 5 * time.Minute

// afterForbidden finds out what a 403 means. It returns nil where a second try is worth while, with another session.
func (c *connection) afterForbidden(ctx context.Context, s *session, denied *failure) *failure {
	pause := loginPause // a token that cannot look itself up may as well be dead
	if s.sighted {
		dead, failure := c.examine(ctx, s)
		if failure != nil {
			return failure
		}
		if dead {
			return nil
		}
		pause = relogin
	}
	if !s.ours || c.now().Sub(s.obtained) < pause {
		return denied
	}
	if failure := c.logInAgain(ctx, s); failure != nil {
		return denied
	}
	return nil
}

// examine finds out whether the token of a session lives, and drops a dead one. Those who were refused together share
// an answer of Vault, which was asked for after they were refused.
func (c *connection) examine(ctx context.Context, s *session) (dead bool, _ *failure) {
	before := c.lookups.Load()
	if failure := c.takeTurn(ctx); failure != nil {
		return false, failure
	}
	defer c.endTurn()
	if c.replaced(s) {
		return true, nil
	}
	if c.lookups.Load() != before {
		return false, nil
	}
	c.lookups.Add(1)
	_, failure := c.lookupSelf(ctx, s.token)
	if failure == nil {
		return false, nil
	}
	if failure.Outcome != outcomeDenied {
		return false, failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = nil
	return true, nil
}

// replaced reports whether another token than that of s is in use by now, or none.
func (c *connection) replaced(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current == nil || c.current.token != s.token
}

// logInAgain puts a new session in the place of s, whose token lives.
func (c *connection) logInAgain(ctx context.Context, s *session) *failure {
	return c.inTurn(ctx, func(ctx context.Context) *failure {
		if c.replaced(s) {
			return nil
		}
		return c.logIn(ctx)
	})
}
