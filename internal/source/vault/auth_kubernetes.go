package vault

import (
	"context"
	"fmt"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// authKubernetes is made of a token of a ServiceAccount of the operator's namespace, requested for each login, which Vault reviews at the
// API server.
var authKubernetes = method{
	name:   "kubernetes",
	chosen: func(auth v1alpha1.VaultAuth) bool { return auth.Kubernetes != nil },
	logIn: func(ctx context.Context, c *connection) (*grant, *failure) {
		return c.loginWithServiceAccount(ctx, c.spec.Auth.Kubernetes, "kubernetes")
	},
}

// tokenLifetime of the ServiceAccount tokens that are sent to Vault: the shortest that the API server grants.
const tokenLifetime = 10 * time.Minute

// loginWithServiceAccount asks for a fresh token at every login, bound to its own audience, so that what is sent to
// Vault is of no use at the API server and of little use later.
func (c *connection) loginWithServiceAccount(ctx context.Context, auth *v1alpha1.ServiceAccountAuth, method string) (*grant, *failure) {
	account := auth.AccountName()
	request, cancel := context.WithTimeout(ctx, c.spec.Timeout())
	defer cancel()
	token, err := c.requestToken(request, account, auth.TokenAudiences(), tokenLifetime)
	if err != nil {
		return nil, outcomeLoginFailed.at(c.place()).because(err).saying(fmt.Sprintf(
			"the API server gave no token for ServiceAccount %s: check that it exists in the operator's namespace and that the operator may create tokens for it", account))
	}
	grant, failure := c.loginAt(ctx, auth.Mount, method, map[string]any{"role": auth.Role, "jwt": token})
	if failure != nil && failure.Outcome == outcomeLoginRefused {
		failure.saying(refusedHint(method, failure.detail, auth))
	}
	return grant, failure
}
