package vault

import (
	"context"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// loginPause is the time between two logins while they fail.
	loginPause = time.Minute
	// Vault and OpenBao lock a role ID for all who use it after five logins with a wrong secret ID between which less than 15 minutes pass, by default
	// (https://developer.hashicorp.com/vault/docs/concepts/user-lockout). After wrongLogins of them lockPause is the time between two: a process that
	// starts after this one makes as many, and Vault counts them together.
	wrongLogins = 2
	lockPause   = 16 * time.Minute
)

// logIn logs in and puts the new session in the place of the current one. The caller has the turn.
func (l *tokenLife) logIn(ctx context.Context) *failure {
	s, failure := l.open(ctx)
	if failure == nil {
		l.replace(s)
	}
	return failure
}

// open logs in, at most once a minute while that fails. The caller has the turn.
func (l *tokenLife) open(ctx context.Context) (*session, *failure) {
	now := l.connection.now()
	if wait := l.nextLogin.Sub(now); wait > 0 {
		known := l.loginFailure.copied()
		known.wait = comesBack(wait) + spread(loginPause/6)
		return nil, known
	}
	if !l.logins.AllowN(now, 1) {
		f := outcomeDeadToken.at(l.connection.place())
		f.wait = renewPause
		return nil, f
	}
	s, failure := l.openSession(ctx)
	if failure == nil {
		l.connection.metrics.Login(l.connection.name, methodOf(l.connection.spec.Auth), v1alpha1.ReasonSucceeded)
		l.wrong = 0
		return s, nil
	}
	l.connection.metrics.Login(l.connection.name, methodOf(l.connection.spec.Auth), failure.Reason)
	if !failure.neverArrived() {
		pause := l.pauseAfter(failure)
		l.mu.Lock()
		l.nextLogin = now.Add(pause + spread(loginPause/6))
		l.mu.Unlock()
		failure.wait = max(failure.wait, comesBack(l.nextLogin.Sub(now)))
		l.loginFailure = failure.copied()
	}
	return nil, failure
}

// comesBack is when who waits for a login asks again. Where the login is far off, what it is made of may be changed before, and nothing tells of that.
func comesBack(wait time.Duration) time.Duration { return min(wait, loginPause+loginPause/6) }

// pauseAfter is the time until the next login after one that failed. The caller has the turn.
func (l *tokenLife) pauseAfter(f *failure) time.Duration {
	if !f.counts {
		return loginPause
	}
	if l.wrong++; l.wrong < wrongLogins {
		return loginPause
	}
	f.detail += "; put a new secret ID into the Secret. The same one is tried every 16 minutes, because Vault locks a role ID " +
		"after five wrong ones"
	f.whole = true // it says what to do next
	return lockPause
}

// openSession logs in, lets the token look itself up, and makes sure that it belongs where it should. Whether it may look
// itself up depends on its policies, and has to be known when a read is denied later: now it surely lives.
func (l *tokenLife) openSession(ctx context.Context) (*session, *failure) {
	g, failure := l.connection.login(ctx)
	if failure != nil {
		return nil, failure
	}
	s, err := l.connection.newSession(g, l.connection.now())
	if err != nil {
		return nil, outcomeLoginFailed.at(l.connection.place()).because(err).saying("no client could be made")
	}
	if g.about == nil {
		g.about, failure = l.connection.lookupSelf(ctx, g.token)
	}
	s.sighted = failure == nil
	if s.sighted || failure.Outcome == outcomeDenied {
		failure = l.connection.proveNamespace(ctx, g.about)
	}
	if failure != nil {
		l.retire(s)
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
func (l *tokenLife) replace(s *session) {
	l.mu.Lock()
	before := l.current
	l.current = s
	l.mu.Unlock()
	l.connection.metrics.TokenExpires(l.connection.name, s.expires)
	l.retire(before)
}

// retire ends a session that is no longer current.
func (l *tokenLife) retire(s *session) {
	l.retiring.Go(func() { l.end(s) })
}

// end revokes the token of a session after its last request. A token that holds a lease is left to expire,
// because its leases would end with it.
func (l *tokenLife) end(s *session) {
	if s == nil || !s.ours {
		return
	}
	s.users.Wait() // nobody notes a lease any more
	if len(s.leases) > 0 || !s.alive(l.connection.now()) {
		return
	}
	// Nobody waits for the answer: a token that cannot be revoked now expires.
	_, _ = l.connection.sendOnce(context.Background(), l.connection.place(), func(ctx context.Context) (*answer, error) {
		return put(ctx, s.client, "auth/token/revoke-self", map[string]any{})
	})
}

// close ends the life after the last request: the sessions on their way out, and then the current one.
func (l *tokenLife) close() {
	l.retiring.Wait()
	l.end(l.exchangeOther(nil))
	l.end(l.current)
}
