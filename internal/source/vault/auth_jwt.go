package vault

import (
	"context"

	"regcred.dev/regcred/api/v1alpha1"
)

// authJWT is made of the same token as authKubernetes, and Vault checks it against the issuer's keys.
var authJWT = method{
	name:   "jwt",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.JWT != nil },
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		return c.loginWithServiceAccount(ctx, c.spec.Auth.JWT, "jwt")
	},
}
