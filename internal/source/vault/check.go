package vault

import (
	"context"

	"regcred.dev/regcred/api/v1alpha1"
)

// ConnectionState is what is known of a VaultConnection.
type ConnectionState struct {
	// ServerVersion as the server reports it. Empty where it does not answer.
	ServerVersion string
}

// Check says whether a connection can be used: address, CA and secrets are right, the server is well, and a login
// succeeds or has succeeded. The error is a *source.Error.
func (m *Manager) Check(ctx context.Context, object *v1alpha1.VaultConnection) (ConnectionState, error) {
	c, f := m.connectionOf(ctx, object)
	if f != nil {
		return ConnectionState{}, f.exported()
	}
	defer c.usage.leave()
	f = c.check(ctx)
	c.mu.Lock()
	state := ConnectionState{ServerVersion: c.version}
	c.mu.Unlock()
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
		s, failure := c.acquire(ctx)
		if failure == nil {
			s.users.Done()
		}
		return failure
	})
}
