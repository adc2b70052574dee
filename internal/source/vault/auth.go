package vault

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/vault/api"

	"regcred.dev/regcred/api/v1alpha1"
)

// method is one way to log in. Each has a file with its name: what it is made of beside the object, and how it logs in.
type method struct {
	name string
	// chosen reports whether a connection names it.
	chosen func(v1alpha1.VaultAuth) bool
	// collect gathers what it is made of, from the operator's namespace. Nil: nothing.
	collect func(context.Context, *Manager, v1alpha1.VaultAuth, *material) *failure
	// logIn gives a token. The session that it leads to is made by the caller.
	logIn func(context.Context, *connection) (*grant, *failure)
}

// methods are all of them, in the order of the API.
func methods() []method {
	return []method{authKubernetes, authJWT, authAppRole, authToken, authCert, authAWS, authGCP, authAzure}
}

// methodFor is the method that a connection names.
func methodFor(auth v1alpha1.VaultAuth) (method, bool) {
	for _, m := range methods() {
		if m.chosen(auth) {
			return m, true
		}
	}
	return method{}, false
}

// methodOf names the login method; it is empty where there is none.
func methodOf(auth v1alpha1.VaultAuth) string {
	m, _ := methodFor(auth)
	return m.name
}

// grant is what a login gave.
type grant struct {
	token     string
	lifetime  time.Duration // zero: without end
	renewable bool
	ends      time.Time      // of a token that was given: when it ends for good; zero where that is not known
	about     map[string]any // what the token says of itself, where that is known already
}

// login logs in by the connection's method.
func (c *connection) login(ctx context.Context) (*grant, *failure) {
	m, _ := methodFor(c.spec.Auth) // there is one: see collect
	return m.logIn(ctx, c)
}

// noMethod is what is wrong with a connection that names none.
const noMethod = "spec.auth names no login method: set one, such as kubernetes"

// loginAt sends a login to the mount of an auth method.
func (c *connection) loginAt(ctx context.Context, mount, defaultMount string, body map[string]any) (*grant, *failure) {
	if mount == "" {
		mount = defaultMount
	}
	if fault := pathFault(mount); fault != "" {
		return nil, outcomeConnectionRefused.at(c.place()).advising("the mount of the auth method " + fault + ": correct it in spec.auth")
	}
	place := c.place() + ": auth/" + mount
	a, failure := c.send(ctx, place, c.asking(c.spec.VaultNamespace, "", func(ctx context.Context, client *api.Client) (*answer, error) {
		return put(ctx, client, "auth/"+mount+"/login", body)
	}))
	if failure != nil {
		return nil, asLoginFailure(failure, a)
	}
	auth := a.content.Auth
	if auth == nil || auth.ClientToken == "" {
		return nil, outcomeLoginRefused.at(place).saying("the login gave no token, as when it asks for a second factor")
	}
	return &grant{
		token:    auth.ClientToken,
		lifetime: lifetime(int64(auth.LeaseDuration)), renewable: auth.Renewable,
	}, nil
}

// asLoginFailure keeps what concerns the whole server and calls the rest a failed login.
func asLoginFailure(f *failure, a *answer) *failure {
	if f.wholeServer() || f.Outcome == outcomeLoginFailed {
		return f
	}
	passes := f.Outcome == outcomeBehind || f.Outcome == outcomeLeaseQuota
	if a != nil && !passes && (refusedAsError(a) || a.status >= 400 && a.status < 500) {
		refused := outcomeLoginRefused.at(f.place).because(f).saying(whyRefused(a))
		refused.counts = mentions(a.content.Errors, wrongSecretID) || mentions(a.content.Errors, wrongRoleOrSecretID)
		return refused
	}
	return outcomeLoginFailed.at(f.place).because(f).saying(f.Message)
}

// refusedAsError recognises refusals that Vault 1.14.0 answers with 500: of a wrong secret ID, of all that Azure's method does
// not accept, and where a method has no config.
func refusedAsError(a *answer) bool {
	for _, says := range []string{wrongSecretID, "not authorized", "oidc: ", "failed to verify signature", notConfigured} {
		if mentions(a.content.Errors, says) {
			return true
		}
	}
	return false
}

// lookupSelf asks Vault about a token.
func (c *connection) lookupSelf(ctx context.Context, token string) (map[string]any, *failure) {
	a, failure := c.send(ctx, c.place(), onceCaughtUp(c.asking(c.spec.VaultNamespace, token, func(ctx context.Context, client *api.Client) (*answer, error) {
		return get(ctx, client, "auth/token/lookup-self", nil)
	})))
	if failure != nil {
		return nil, failure.ofToken()
	}
	return a.content.Data, nil
}

// ofToken is what a failure of a question about a token comes to. No path was read, so that what only a person could correct at one is the
// login's.
func (f *failure) ofToken() *failure {
	if f.Retry != RetryPeriod || f.Outcome == outcomeDenied {
		return f
	}
	return outcomeLoginFailed.at(f.place).because(f).saying("Vault does not answer as it should what it is asked about the token of the login")
}

// seconds reads a number of seconds as Vault writes it.
func seconds(value any) time.Duration {
	number, _ := value.(json.Number)
	n, _ := number.Int64() // zero where it is none, and the largest where it is larger than all
	return lifetime(n)
}

// longestLife is as long as anything of Vault lives: far beyond what its own limits allow.
const longestLife = 10 * 365 * 24 * time.Hour

// lifetime is a number of seconds that a server gave: not less than nothing, and not more than longestLife.
func lifetime(seconds int64) time.Duration {
	return time.Duration(min(max(seconds, 0), int64(longestLife/time.Second))) * time.Second
}
