package vault

import (
	"context"

	"regcred.dev/regcred/api/v1alpha1"
)

// authAppRole is made of a role ID, which is no secret, and of a secret ID in a Secret of the operator's namespace.
var authAppRole = method{
	name:   "appRole",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.AppRole != nil },
	collect: func(ctx context.Context, m *Manager, auth v1alpha1.VaultAuth, into *material) (f *failure) {
		into.secret, f = m.text(ctx, auth.AppRole.SecretID)
		return f
	},
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		auth := c.spec.Auth.AppRole
		given, f := c.loginAt(ctx, auth.Mount, "approle", map[string]any{"role_id": auth.RoleID, "secret_id": c.material.secret})
		if f != nil && f.Outcome == outcomeLoginRefused && f.detail == "" {
			return nil, f.saying("no auth method is enabled at this mount, or Vault has locked the role ID for some minutes because of wrong secret IDs: see vault read sys/locked-users")
		}
		return given, f
	},
}
