package vault

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/api/v1alpha1"
)

// unknownLifetime is for how long a token is used before it is asked about again, where nobody said when it ends.
const unknownLifetime = time.Minute

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
	adopted := &grant{token: token, lifetime: seconds(about["ttl"]), renewable: renewable, ends: endOf(about), about: about}
	if ends, _ := about["expire_time"].(string); ends != "" && adopted.lifetime == 0 {
		c.learnLifetime(ctx, adopted)
	}
	return adopted, nil
}

// learnLifetime renews a token that lives though the node says that its end has passed: standbys of OpenBao can answer with the end that it
// had before it was last renewed (https://github.com/openbao/openbao/issues/3505). The active node renews it, and knows.
func (c *connection) learnLifetime(ctx context.Context, g *grant) {
	a, failure := c.send(ctx, c.place(), c.asking(c.spec.VaultNamespace, g.token, func(ctx context.Context, client *api.Client) (*answer, error) {
		return put(ctx, client, "auth/token/renew-self", map[string]any{})
	}))
	if failure == nil && a.content.Auth != nil && a.content.Auth.LeaseDuration > 0 {
		g.lifetime, g.renewable = lifetime(int64(a.content.Auth.LeaseDuration)), a.content.Auth.Renewable
		return
	}
	g.lifetime = unknownLifetime
}

// latestCreation is the last second, of Unix time, at which a token is believed to be made: in 2106.
const latestCreation = 1 << 32

// endOf is when a token ends for good, by what Vault says of it: at its explicit maximum, or, where it cannot be renewed, at its present end.
// The maximum of a mount or of the server is not told. Zero where nothing is known, as of a token that ends never.
func endOf(about map[string]any) time.Time {
	var ends time.Time
	if most, created := seconds(about["explicit_max_ttl"]), createdAt(about); most > 0 && !created.IsZero() {
		ends = created.Add(most)
	}
	renewable, _ := about["renewable"].(bool)
	if text, _ := about["expire_time"].(string); !renewable && seconds(about["ttl"]) > 0 {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil && (ends.IsZero() || at.Before(ends)) {
			ends = at.UTC()
		}
	}
	return ends
}

// createdAt is when a token was made, zero where Vault does not say.
func createdAt(about map[string]any) time.Time {
	number, _ := about["creation_time"].(json.Number)
	if at, _ := number.Int64(); at > 0 && at < latestCreation {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}
