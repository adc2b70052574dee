package vault

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// renewPause is the time between two tries to renew a token that lives.
const renewPause = 15 * time.Second

// tokenLife is the life of the token of a connection: it is acquired, renewed at two thirds of its time, replaced where it cannot be
// renewed any further, and doubted after a 403. token.go has the life as long as all is well, token_login.go how one begins and
// ends, token_forbidden.go what a 403 means. How a login is made is the login method's business: see auth.go.
type tokenLife struct {
	connection *connection

	// turn is held by whoever logs in, renews or asks about a token; the next seven belong to its holder.
	turn         chan struct{}
	wrong        int          // logins in a row that count against a role ID; changed by the holder
	lookups      atomic.Int64 // of tokens that were refused, as they begin; changed by the holder
	answered     int64        // which of them was the last that did not find a dead token
	unclear      *failure     // of that one, nil where it found that the token lives
	nextLogin    time.Time    // after one that was refused; changed by the holder under mu
	loginFailure *failure
	logins       *rate.Limiter // also while they succeed
	tried        time.Time     // when another login was last tried beside the one in use

	retiring sync.WaitGroup // sessions on their way out

	mu      sync.Mutex
	current *session // nil before the first login and after a token died
	other   *session // of a login beside that one, nil where there is none
}

// begin makes the life of a connection's token, before its first login.
func (l *tokenLife) begin(c *connection) {
	l.connection = c
	l.turn = make(chan struct{}, 1)
	l.logins = rate.NewLimiter(rate.Every(10*time.Second), 5)
}

// acquire gives the session to use, logging in where there is none. The caller must call users.Done.
func (l *tokenLife) acquire(ctx context.Context) (*session, *failure) {
	for {
		now := l.connection.now()
		l.mu.Lock()
		s := l.current
		if s != nil && s.alive(now) && !s.due(now) {
			s.users.Add(1)
			l.mu.Unlock()
			return s, nil
		}
		l.mu.Unlock()
		if failure := l.refresh(ctx, s); failure != nil {
			return nil, failure
		}
	}
}

// refresh replaces the session that the caller saw, one caller at a time. It returns nil when it is worth while to look
// again.
func (l *tokenLife) refresh(ctx context.Context, seen *session) *failure {
	return l.inTurn(ctx, func(ctx context.Context) *failure {
		l.mu.Lock()
		changed := l.current != seen || (seen != nil && !seen.due(l.connection.now()) && seen.alive(l.connection.now()))
		l.mu.Unlock()
		if changed {
			return nil
		}
		if seen != nil && seen.alive(l.connection.now()) {
			return l.prolong(ctx, seen)
		}
		return l.logIn(ctx)
	})
}

// inTurn does something when it is the caller's turn, and ends the turn. Others wait for the outcome, so it goes on when the caller
// gives up; and a caller may give up, however long it takes.
func (l *tokenLife) inTurn(ctx context.Context, do func(context.Context) *failure) *failure {
	if f := l.takeTurn(ctx); f != nil {
		return f
	}
	done := make(chan *failure, 1)
	l.connection.usage.join()
	go func() {
		defer l.connection.usage.leave()
		defer l.endTurn()
		done <- do(context.WithoutCancel(ctx))
	}()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
		return outcomeSlow.at(l.connection.place()).because(ctx.Err())
	}
}

// prolong renews a living token, or logs in again where it cannot be renewed any further. While neither succeeds the
// token goes on being used to its end.
func (l *tokenLife) prolong(ctx context.Context, s *session) *failure {
	if s.renewable {
		renewed, failure := l.renew(ctx, s)
		if renewed {
			return nil
		}
		if failure != nil && failure.wholeServer() {
			l.postpone(s)
			return nil
		}
	}
	if !s.ours || l.logIn(ctx) != nil {
		l.postpone(s)
	}
	return nil
}

func (l *tokenLife) postpone(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.renewAt = l.connection.now().Add(renewPause)
}

// renew prolongs the token and reports whether that gave it most of its lifetime back. Near its maximum a token gets
// less and less: one of ours is then replaced in good time.
func (l *tokenLife) renew(ctx context.Context, s *session) (bool, *failure) {
	a, failure := l.connection.send(ctx, l.connection.place(), func(ctx context.Context) (*answer, error) {
		return put(ctx, s.client, "auth/token/renew-self", map[string]any{})
	})
	if failure != nil || a.content.Auth == nil || a.content.Auth.LeaseDuration <= 0 {
		return false, failure
	}
	now := l.connection.now()
	left := lifetime(int64(a.content.Auth.LeaseDuration))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != s {
		return true, nil
	}
	renewed := *s
	renewed.renewable = a.content.Auth.Renewable
	renewed.limit(left, now)
	l.current = &renewed
	l.connection.metrics.TokenExpires(l.connection.name, renewed.expires)
	return left >= s.lifetime/2, nil
}

// takeTurn waits for the right to log in or renew, which one caller has at a time.
func (l *tokenLife) takeTurn(ctx context.Context) *failure {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return outcomeSlow.at(l.connection.place()).because(ctx.Err())
	}
}

func (l *tokenLife) endTurn() { <-l.turn }

// present gives the session in use, nil where there is none that lives. It logs nobody in, and the session may be replaced at any time.
func (l *tokenLife) present() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil || !l.current.alive(l.connection.now()) {
		return nil
	}
	return l.current
}

// describe says of a token what people are told: since when it is in use, when it ends for good, and when the next login is tried.
func (l *tokenLife) describe(state *ConnectionState) {
	now := l.connection.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.current; s != nil && s.alive(now) {
		state.LoginTime, state.TokenEnds = s.obtained, s.ends
	}
	if l.nextLogin.After(now) {
		state.NextLogin = l.nextLogin
	}
}

// isDue reports whether the token is to be renewed or replaced.
func (l *tokenLife) isDue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current != nil && l.current.due(l.connection.now())
}

// forgetLease notes that a lease does not depend on the token of a session any more.
func (l *tokenLife) forgetLease(s *session, lease string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(s.leases, lease)
}

// noteLease notes that a lease ends with the token of a session.
func (l *tokenLife) noteLease(s *session, lease string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.leases[lease] = true
}
