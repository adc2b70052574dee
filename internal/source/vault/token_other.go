package vault

import "context"

// A login beside the one in use shows whether the policies of a role changed since. It takes the place of the one in use only where it is
// allowed what that one was not: leases and the socket of events depend on the token in use, and whoever may make a RegistryCredential
// may ask again and again for a path that no policy allows.

// another gives the session of such a login, one in the time of relogin for all who are denied something. It is nil where there is none.
// The caller must settle it.
func (l *tokenLife) another(ctx context.Context, s *session) *session {
	if !s.ours || l.connection.now().Sub(s.obtained) < relogin {
		return nil
	}
	_ = l.inTurn(ctx, func(ctx context.Context) *failure {
		now := l.connection.now()
		if now.Sub(l.tried) < relogin || l.replaced(s) {
			return nil
		}
		l.tried = now
		opened, _ := l.open(ctx) // nil where that fails
		l.retire(l.exchangeOther(opened))
		return nil
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.other == nil || !l.other.obtained.After(s.obtained) {
		return nil
	}
	l.other.users.Add(1)
	return l.other
}

// exchangeOther puts another session beside the one in use, which may be nil, and gives the one that was there.
func (l *tokenLife) exchangeOther(s *session) (before *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.other = l.other, s
	return before
}

// settle ends what was tried with another session: where it was allowed, that is in use from now on.
func (l *tokenLife) settle(other *session, result *failure) {
	defer other.users.Done()
	if result != nil && (result.Retry != RetryPeriod || result.Outcome == outcomeDenied) {
		return
	}
	l.mu.Lock()
	won := l.other == other // else it is in use already, or on its way out
	if won {
		l.other = nil
	}
	l.mu.Unlock()
	if won {
		l.replace(other)
	}
}
