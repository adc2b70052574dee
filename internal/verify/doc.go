// Package verify tells whether a credential works at a registry, by using it there as a container runtime would.
//
// A login is tested with the /v2/ handshake: the registry says without any credential how it wants to be
// authenticated, and the credential is then shown once, to /v2/ itself (basic) or to the token endpoint (bearer). The
// token is asked for without a scope, because there are token endpoints that answer a wrong password with an
// anonymous token as soon as a scope is named. A pull is tested with a HEAD of the manifest and never with a GET,
// which would count against rate limits.
//
// What an answer leads to:
//
//	200 for the credential, or for the manifest       Valid
//	401 for the credential                            Rejected, LoginFailed
//	403 with an error in the registries' own format   Rejected, LoginFailed
//	401 or 403 for the manifest or for its scope      Rejected, PullDenied
//	anything else, and no answer                      Unknown, with its reason
//
// Nobody on the other side is trusted. Everything is bounded in time and size, TLS is 1.2 or newer, redirects to
// another origin are refused, plain http is for registries that were declared insecure, and every address is looked
// at when it is dialled, after its name was resolved. Proxies of the environment are not used: a proxy resolves and
// dials where none of this can be checked. One that [Options.Proxy] names is asked to connect to hosts that a person named, and
// the addresses behind them are checked as far as they can be resolved here. What a proxy does wrong is said of the proxy.
//
// No result holds anything of a response but its status, the digest and Retry-After.
package verify
