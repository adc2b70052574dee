package vault

import (
	"context"
	"time"
)

// relogin is how often at most a denied read makes us log in again though the token lives: the policies of a role can
// have changed since, and a token keeps those of its login.
const relogin = 5 * time.Minute

// asUs asks something with the current token. A 403 may mean that it is dead: then a new one gets a second try.
func (c *connection) asUs(ctx context.Context, place string, ask func(*session) (*answer, *failure)) (*answer, *failure) {
	for second := false; ; second = true {
		s, failure := c.tokens.acquire(ctx)
		if failure != nil {
			return nil, failure
		}
		a, failure := ask(s)
		s.users.Done()
		if failure == nil || failure.Outcome != outcomeDenied {
			return a, failure
		}
		another, settled := c.tokens.afterForbidden(ctx, s, failure)
		if settled != nil {
			return nil, settled
		}
		if another != nil {
			a, failure = ask(another)
			c.tokens.settle(another, failure)
			return a, failure
		}
		if second {
			failure = outcomeDeadToken.at(place)
			failure.wait = renewPause
			return nil, failure
		}
	}
}

// afterForbidden finds out what a 403 means. It gives a session of another login to try, which the caller must settle, where the one in use lives and may have the
// policies of before, and neither where a second try with the session in use is worth while.
func (l *tokenLife) afterForbidden(ctx context.Context, s *session, denied *failure) (another *session, settled *failure) {
	if !s.sighted { // a token of a login of ours, which may as well be dead
		if l.connection.now().Sub(s.obtained) < loginPause {
			return nil, denied
		}
		failure := l.logInAgain(ctx, s)
		if failure != nil && !failure.wholeServer() { // it was refused
			return nil, denied
		}
		return nil, failure
	}
	dead, failure := l.examine(ctx, s)
	switch {
	case failure != nil:
		return nil, failure
	case dead:
		return nil, nil
	}
	if another = l.another(ctx, s); another == nil && !l.replaced(s) {
		return nil, denied
	}
	return another, nil
}

// examine finds out whether the token of a session lives, and drops a dead one. Those who were refused together share
// what came of one question to Vault, which was asked after they were refused: also that Vault did not say.
func (l *tokenLife) examine(ctx context.Context, s *session) (dead bool, _ *failure) {
	before := l.lookups.Load()
	failure := l.inTurn(ctx, func(ctx context.Context) *failure {
		switch {
		case l.replaced(s):
			return nil
		case l.answered > before:
			return l.unclear.copied()
		}
		return l.lookUp(ctx, s)
	})
	return l.replaced(s), failure
}

// lookUp asks Vault whether the token of a session lives, and drops a dead one. The caller has the turn.
func (l *tokenLife) lookUp(ctx context.Context, s *session) *failure {
	number := l.lookups.Add(1)
	_, failure := l.connection.lookupSelf(ctx, s.token)
	if failure == nil || failure.Outcome != outcomeDenied {
		l.answered, l.unclear = number, failure.copied()
		return failure
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil && l.current.token == s.token { // another can have taken its place while Vault was asked: settle has not the turn
		l.current = nil
	}
	return nil
}

// replaced reports whether another token than that of s is in use by now, or none.
func (l *tokenLife) replaced(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current == nil || l.current.token != s.token
}

// logInAgain puts a new session in the place of s, whose token lives.
func (l *tokenLife) logInAgain(ctx context.Context, s *session) *failure {
	return l.inTurn(ctx, func(ctx context.Context) *failure {
		if l.replaced(s) {
			return nil
		}
		return l.logIn(ctx)
	})
}
