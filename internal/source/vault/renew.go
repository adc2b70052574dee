package vault

import (
	"context"
	"time"

	"regcred.dev/regcred/internal/source"
)

// Renew prolongs a lease by the time for which it was given at first, or by what is left of its maximum. The error is a *source.Error,
// with source.ErrNotRenewable in its chain where Vault prolongs this lease no more.
func (m *Manager) Renew(ctx context.Context, lease source.Lease) (source.Lease, error) {
	c, f := m.connection(ctx, lease.Connection)
	if f != nil {
		return source.Lease{}, f.exported()
	}
	defer c.usage.leave()
	var renewed source.Lease
	f = c.throughGate(ctx, func() (f *failure) {
		renewed, f = c.renew(ctx, lease)
		return f
	})
	if f != nil {
		return source.Lease{}, f.exported()
	}
	return renewed, nil
}

// renew asks for the whole term again: Vault gives what the engine and its maximum allow. For a lease that ended, was revoked or cannot
// be renewed it answers 400, and so it does where the engine fails, which is then asked for another credential.
func (c *connection) renew(ctx context.Context, lease source.Lease) (source.Lease, *failure) {
	place := c.place() + ": sys/leases/renew"
	var asked time.Time
	a, f := c.asUs(ctx, place, func(s *session) (*answer, *failure) {
		return c.send(ctx, place, func(ctx context.Context) (*answer, error) {
			asked = c.now()
			return put(ctx, s.client, "sys/leases/renew", map[string]any{"lease_id": lease.ID, "increment": int64(lease.Term.Seconds())})
		})
	})
	switch {
	case f == nil && a.content.LeaseDuration > 0:
	case f == nil:
		return source.Lease{}, outcomeBadRequest.at(place).because(source.ErrNotRenewable).saying("Vault did not prolong the lease of a credential")
	case f.Outcome == outcomeBadRequest:
		return source.Lease{}, f.because(source.ErrNotRenewable).saying("Vault does not prolong the lease of a credential")
	case f.Outcome == outcomeDenied:
		return source.Lease{}, f.because(source.ErrNotRenewable).saying("the lease of a credential is not prolonged: grant update on sys/leases/renew")
	default:
		return source.Lease{}, f
	}
	lease.Obtained, lease.Duration = asked, lifetime(a.content.LeaseDuration)
	lease.Renewable = a.content.Renewable
	if ends, known := c.tokens.endOfHolder(ctx, lease.ID, lease.Obtained.Add(lease.Duration)); known {
		lease.LoginEnds = ends
	}
	return lease, nil
}

// endOfHolder is when the token ends, and with it a lease, zero for never. It is not known where another token asked for the lease: one
// of before the last login, or of a process before. Where the token would end before the lease it is renewed first.
func (l *tokenLife) endOfHolder(ctx context.Context, lease string, until time.Time) (time.Time, bool) {
	s := l.holderOf(lease)
	if s == nil {
		return time.Time{}, false
	}
	now := l.connection.now()
	fresh := now.Add(s.lifetime - s.lifetime/10)
	if s.renewable && !s.expires.IsZero() && s.expires.Before(until) && s.expires.Before(fresh) {
		_ = l.inTurn(ctx, func(ctx context.Context) *failure {
			if l.holderOf(lease) == s {
				_, _ = l.renew(ctx, s) // where it fails, the token still ends when it did
			}
			return nil
		})
		if after := l.holderOf(lease); after != nil {
			s = after
		}
	}
	return s.expires, true
}

// holderOf is the session in use, if it asked for the lease.
func (l *tokenLife) holderOf(lease string) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil || !l.current.leases[lease] {
		return nil
	}
	return l.current
}
