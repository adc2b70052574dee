package vault

import (
	"context"

	"regcred.dev/regcred/api/v1alpha1"
)

// authToken is made of a token in a Secret of the operator's namespace. It is somebody else's: it is renewed, and never revoked.
var authToken = method{
	name:   "token",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.Token != nil },
	collect: func(ctx context.Context, m *Manager, auth v1alpha1.VaultAuth, into *material) (f *failure) {
		into.secret, f = m.text(ctx, auth.Token.Secret)
		return f
	},
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		return c.adoptToken(ctx, c.material.secret)
	},
}

// adoptToken uses a token that was given to us, after Vault said that it lives.
func (c *connection) adoptToken(ctx context.Context, token string) (*grant, *failure) {
	about, failure := c.lookupSelf(ctx, token)
	if failure != nil && failure.Outcome == outcomeDenied {
		return nil, outcomeLoginRefused.at(c.place()).saying("the token in Secret " + c.spec.Auth.Token.Secret.Name +
			" is not accepted: put one there that lives and may look itself up, as Vault's policy default allows")
	}
	if failure != nil {
		return nil, asLoginFailure(failure, nil)
	}
	renewable, _ := about["renewable"].(bool)
	return &grant{token: token, lifetime: seconds(about["ttl"]), renewable: renewable, about: about}, nil
}
