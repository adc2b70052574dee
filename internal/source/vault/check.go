package vault

import (
	"context"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// ConnectionState is what is known of a VaultConnection.
type ConnectionState struct {
	// ServerVersion as the server reports it. Empty where it does not answer.
	ServerVersion string
	// Method is the login method that the object names. Empty where it names none.
	Method string
	// LoginTime is when the token in use was obtained, zero where there is none.
	LoginTime time.Time
	// TokenEnds is when that token ends for good: one that was given, and that cannot be renewed beyond. Zero where regcred renews or
	// replaces it, and where nobody said.
	TokenEnds time.Time
	// NextLogin is when the next login is tried. Zero where none was refused.
	NextLogin time.Time
}

// Check says whether a connection can be used: address, CA and secrets are right, the server is well, and a login
// succeeds or has succeeded. The error is a *source.Error.
func (m *Manager) Check(ctx context.Context, object *v1alpha1.VaultConnection) (ConnectionState, error) {
	state := ConnectionState{Method: methodOf(object.Spec.Auth)}
	c, f := m.connectionOf(ctx, object)
	if f != nil {
		m.note(object.Name, f)
		return state, f.exported()
	}
	defer c.usage.leave()
	f = c.check(ctx)
	m.note(object.Name, f)
	c.mu.Lock()
	state.ServerVersion = c.version
	c.mu.Unlock()
	c.tokens.describe(&state)
	if f != nil {
		return state, f.exported()
	}
	return state, nil
}

// check looks at the server's health, which gives its version, and at the login.
func (c *connection) check(ctx context.Context) *failure {
	return c.throughGate(ctx, func() *failure {
		if sick := c.health(ctx); sick != nil {
			return sick
		}
		s, failure := c.tokens.acquire(ctx)
		if failure == nil {
			s.users.Done()
		}
		return failure
	})
}

// note keeps whether a connection is usable, as the last read or check saw it, and reports whether that changed.
func (m *Manager) note(name string, f *failure) bool {
	trouble := ""
	if f != nil && f.wholeConnection() {
		trouble = f.Reason
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := m.troubles[name] != trouble
	if trouble == "" {
		delete(m.troubles, name)
	} else {
		m.troubles[name] = trouble
	}
	return changed
}
