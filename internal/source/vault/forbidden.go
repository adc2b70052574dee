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
