package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// tokenLifetime of the ServiceAccount tokens that are sent to Vault: the shortest that the API server grants.
const tokenLifetime = 10 * time.Minute

// grant is what a login gave.
type grant struct {
	token     string
	lifetime  time.Duration // zero: without end
	renewable bool
	about     map[string]any // what the token says of itself, where that is known already
}

// login logs in by the connection's method. The session that it leads to is made by the caller.
func (c *connection) login(ctx context.Context) (*grant, *failure) {
	auth := c.spec.Auth
	switch {
	case auth.Kubernetes != nil:
		return c.loginWithServiceAccount(ctx, auth.Kubernetes, "kubernetes")
	case auth.JWT != nil:
		return c.loginWithServiceAccount(ctx, auth.JWT, "jwt")
	case auth.AppRole != nil:
		return c.loginAt(ctx, auth.AppRole.Mount, "approle", map[string]any{
			"role_id": auth.AppRole.RoleID, "secret_id": c.material.secret,
		})
	case auth.Cert != nil:
		body := map[string]any{}
		if auth.Cert.Role != "" {
			body["name"] = auth.Cert.Role
		}
		return c.loginAt(ctx, auth.Cert.Mount, "cert", body)
	case auth.AWS != nil:
		return c.loginWithAWS(ctx, auth.AWS)
	case auth.GCP != nil:
		return c.loginWithGCP(ctx, auth.GCP)
	case auth.Azure != nil:
		return c.loginWithAzure(ctx, auth.Azure)
	default:
		return c.adoptToken(ctx, c.material.secret)
	}
}

// loginWithServiceAccount asks for a fresh token at every login, bound to its own audience, so that what is sent to
// Vault is of no use at the API server and of little use later.
func (c *connection) loginWithServiceAccount(ctx context.Context, auth *v1alpha1.ServiceAccountAuth, method string) (*grant, *failure) {
	account := auth.AccountName()
	request, cancel := context.WithTimeout(ctx, c.spec.Timeout())
	defer cancel()
	token, err := c.requestToken(request, account, auth.TokenAudiences(), tokenLifetime)
	if err != nil {
		return nil, outcomeLoginFailed.at(c.place()).because(err).saying(fmt.Sprintf(
			"no token for ServiceAccount %s could be had: check that it exists in the operator's namespace and that the operator may create tokens for it", account))
	}
	grant, failure := c.loginAt(ctx, auth.Mount, method, map[string]any{"role": auth.Role, "jwt": token})
	if failure != nil && failure.Outcome == outcomeLoginRefused {
		failure.saying(refusedHint(method, auth))
	}
	return grant, failure
}

// refusedHint names the usual cause. Vault's kubernetes method needs a reviewer of its own, because a token for another
// audience cannot review itself.
func refusedHint(method string, auth *v1alpha1.ServiceAccountAuth) string {
	hint := fmt.Sprintf("role %q must allow ServiceAccount %s with audience %v", auth.Role, auth.AccountName(), auth.TokenAudiences())
	if method == "kubernetes" {
		hint += ", and the method needs a token_reviewer_jwt or a Vault whose ServiceAccount has system:auth-delegator"
	}
	return hint
}

func (c *connection) loginAt(ctx context.Context, mount, defaultMount string, body map[string]any) (*grant, *failure) {
	if mount == "" {
		mount = defaultMount
	}
	if fault := pathFault(mount); fault != "" {
		return nil, outcomeConnectionRefused.at(c.place()).saying("the mount of the auth method " + fault)
	}
	place := c.place() + ": auth/" + mount
	a, failure := c.send(ctx, place, func(ctx context.Context) (*answer, error) {
		client, err := c.client("")
		if err != nil {
			return nil, err
		}
		return put(ctx, client, "auth/"+mount+"/login", body)
	})
	if failure != nil {
		return nil, asLoginFailure(failure, a)
	}
	auth := a.content.Auth
	if auth == nil || auth.ClientToken == "" {
		return nil, outcomeLoginRefused.at(place).saying("the login gave no token, as when it asks for a second factor")
	}
	return &grant{
		token:    auth.ClientToken,
		lifetime: time.Duration(auth.LeaseDuration) * time.Second, renewable: auth.Renewable,
	}, nil
}

// asLoginFailure keeps what concerns the whole server and calls the rest a failed login.
func asLoginFailure(f *failure, a *answer) *failure {
	if f.wholeServer() {
		return f
	}
	if a != nil && (refusedAsError(a) || a.status >= 400 && a.status < 500 && a.status != http.StatusPreconditionFailed) {
		return outcomeLoginRefused.at(f.place).because(f)
	}
	return outcomeLoginFailed.at(f.place).because(f).saying(f.Message)
}

// refusedAsError recognises refusals that Vault 1.14.0 answers with 500: of a wrong secret ID, and of all that Azure's method does
// not accept.
func refusedAsError(a *answer) bool {
	for _, says := range []string{"invalid secret id", "not authorized", "oidc: ", "failed to verify signature"} {
		if mentions(a.content.Errors, says) {
			return true
		}
	}
	return false
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

// lookupSelf asks Vault about a token.
func (c *connection) lookupSelf(ctx context.Context, token string) (map[string]any, *failure) {
	a, failure := c.send(ctx, c.place(), func(ctx context.Context) (*answer, error) {
		client, err := c.client(token)
		if err != nil {
			return nil, err
		}
		return get(ctx, client, "auth/token/lookup-self", nil)
	})
	if failure != nil {
		return nil, failure
	}
	return a.content.Data, nil
}

// seconds reads a number of seconds as Vault writes it.
func seconds(value any) time.Duration {
	number, ok := value.(json.Number)
	if !ok {
		return 0
	}
	n, err := number.Int64()
	if err != nil || n < 0 || n > int64(time.Duration(1<<63-1)/time.Second) {
		return 0
	}
	return time.Duration(n) * time.Second
}
