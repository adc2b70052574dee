package vault

import (
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/source"
)

// Outcome is one row of the table of what can come of a read, and what regcred makes of it. In no row does a Secret in
// the cluster change.
type Outcome struct {
	// When says what happened, as the documentation puts it.
	When string
	// Reason of the condition CredentialAvailable.
	Reason string
	// Retry says when the next request goes out.
	Retry Retry
	// Stalled means that a person must act.
	Stalled bool
	// Message says what it means and what to do next.
	Message string
}

// Retry says when the next request goes out after an outcome.
type Retry string

const (
	// RetryPeriod looks again at the refresh period, because only a person can change the outcome.
	RetryPeriod Retry = "at the refresh period"
	// RetryBackoff tries again for this one path, after 5 s at first and 2 min at last.
	RetryBackoff Retry = "5 s to 2 min, for this path"
	// RetryServer concerns the whole server: one probe at a time speaks for all credentials of the connection.
	RetryServer Retry = "2 to 15 s, one probe for all"
	// RetryAsTold waits as long as the server asks for, for all credentials of the connection.
	RetryAsTold Retry = "as told, else 15 s, for all"
	// RetryLogin logs in again, at most once a minute while logins fail.
	RetryLogin Retry = "one login a minute at most"
	// RetryShortly asks again with what was read, because it may not be known everywhere yet.
	RetryShortly Retry = "every 10 s for 2 min, with the same"
	// RetryAtOnce is settled within the same read.
	RetryAtOnce Retry = "at once"
)

// The outcomes. Those of one status code stand together.
var (
	outcomeRead = Outcome{"200 with a usable credential", v1alpha1.ReasonRead, RetryPeriod, false,
		"read"}
	outcomeEmpty = Outcome{"200 without any key", v1alpha1.ReasonKeyMissing, RetryPeriod, true,
		"the secret is empty: write the credential there"}
	outcomeKeyMissing = Outcome{"200 without a key that the spec names", v1alpha1.ReasonKeyMissing, RetryPeriod, true,
		"write the key in Vault, or name the right one in spec.source.vault.keys"}
	outcomeRegistryMissing = Outcome{"200 with a docker config that lacks a listed registry", v1alpha1.ReasonRegistryMissing, RetryPeriod, true,
		"the docker config has no entry for a registry of the spec: add it there, or take the registry out of spec.registries"}
	outcomeMalformed = Outcome{"200 with a value that is no credential", v1alpha1.ReasonMalformed, RetryPeriod, true,
		"the value cannot be used as a registry credential: correct it in Vault"}
	outcomeBadRegistry = Outcome{"a registry of the spec that no image can match", v1alpha1.ReasonMalformed, RetryPeriod, true,
		"correct spec.registries"}
	outcomeOwnToken = Outcome{"200 with the operator's own Vault token as value", v1alpha1.ReasonMalformed, RetryPeriod, true,
		"the value is the operator's own Vault token, which is never published: name another path"}
	outcomeNotVault = Outcome{"200 with something that is no answer of Vault", v1alpha1.ReasonUnavailable, RetryServer, false,
		"the server does not answer as Vault does: check spec.address and the proxies on the way"}
	outcomeNoAnswer = Outcome{"200 or 404 without JSON of Vault, while the server is well otherwise", v1alpha1.ReasonMalformed, RetryPeriod, true,
		"this path does not answer as a secrets engine does: name another path, or look for a proxy on the way"}
	outcomeOversized = Outcome{"an answer of more than 1 MiB", v1alpha1.ReasonMalformed, RetryPeriod, true,
		"the answer is larger than 1 MiB, or holds thousands of values: a registry credential is smaller, name another path"}

	outcomeRedirect = Outcome{"redirect to another host", v1alpha1.ReasonConnectionRefused, RetryServer, true,
		"the server redirects to another host, which is not followed: let the standby nodes forward requests, use an address that " +
			"leads to the active node, or allow the host with --vault-addresses"}
	outcomeBadRequest = Outcome{"400 or 405", v1alpha1.ReasonBadRequest, RetryPeriod, true,
		"Vault does not allow a read of this path: check mount, path and engine"}
	outcomeDeadToken = Outcome{"403, and the token is dead", v1alpha1.ReasonLoginFailed, RetryAtOnce, false,
		"the operator's Vault token had ended or was revoked, and a new login did not help yet"}
	outcomeDenied = Outcome{"403, and the token is alive", v1alpha1.ReasonPermissionDenied, RetryPeriod, true,
		"the token of the VaultConnection may not do this, or no engine is mounted there: allow it in a policy in Vault, or correct mount, path and engine"}

	outcomeNeverWritten = Outcome{"404: nothing was ever written there", v1alpha1.ReasonSecretNotFound, RetryPeriod, true,
		"Vault has no secret there: write it, or correct mount and path"}
	outcomeDeleted = Outcome{"404: the newest version is deleted", v1alpha1.ReasonSecretDeleted, RetryPeriod, true,
		"the newest version is deleted: undelete it or write a new one"}
	outcomeDestroyed = Outcome{"404: the newest version is destroyed", v1alpha1.ReasonSecretDeleted, RetryPeriod, true,
		"the newest version is destroyed: write a new one"}
	outcomeNoRole = Outcome{"400 or 404 from an engine that knows no such role", v1alpha1.ReasonSecretNotFound, RetryPeriod, true,
		"the engine knows no such role: write it there, or correct spec.source.vault.path"}
	outcomeNoMount = Outcome{"404: no engine is mounted there", v1alpha1.ReasonMountNotFound, RetryPeriod, true,
		"no secrets engine is mounted there: correct spec.source.vault.mount, or mount one"}
	outcomeWrongEngine = Outcome{"404 or 200 from an engine of another kind", v1alpha1.ReasonWrongEngine, RetryPeriod, true,
		"the mount is of another kind than spec.source.vault.engine says"}

	outcomeBehind = Outcome{"412: this node is behind", v1alpha1.ReasonUnavailable, RetryBackoff, false,
		"the node that answered has not caught up with the others"}
	outcomeRateLimitedFor = Outcome{"429 with Retry-After", v1alpha1.ReasonRateLimited, RetryAsTold, false,
		"Vault asks for fewer requests: raise its rate limit quota, or lower spec.requestsPerSecond of the VaultConnection"}
	outcomeRateLimited = Outcome{"429 without Retry-After", v1alpha1.ReasonRateLimited, RetryAsTold, false,
		"Vault asks for fewer requests: raise its rate limit quota, or lower spec.requestsPerSecond of the VaultConnection"}
	outcomeLeaseQuota = Outcome{"429: no more leases", v1alpha1.ReasonRateLimited, RetryBackoff, false,
		"the lease count quota in Vault is used up there: revoke leases, or raise max_leases of the quota"}
	outcomeOwnLimit = Outcome{"spec.requestsPerSecond of the VaultConnection is used up", v1alpha1.ReasonRateLimited, RetryBackoff, false,
		"more reads are waiting than spec.requestsPerSecond of the VaultConnection allows: raise it, or the refresh periods"}
	outcomeRecovery = Outcome{"472: disaster recovery secondary", v1alpha1.ReasonUnavailable, RetryServer, false,
		"this is a disaster recovery secondary, which answers no reads: use the address of the primary cluster"}
	outcomePerfStandby = Outcome{"473: performance standby", v1alpha1.ReasonUnavailable, RetryServer, false,
		"this performance standby does not answer reads: use an address that leads to an active node"}

	outcomeServerError = Outcome{"5xx, while the server is well otherwise", v1alpha1.ReasonUnavailable, RetryBackoff, false,
		"Vault failed at this path: look into Vault's log"}
	outcomeOutage = Outcome{"5xx from a server that is not well", v1alpha1.ReasonUnavailable, RetryServer, false,
		"Vault is not well: look at its status"}
	outcomeSealed = Outcome{"503: sealed", v1alpha1.ReasonSealed, RetryServer, false,
		"Vault is sealed: unseal it"}
	outcomeNoActive = Outcome{"5xx from a standby that finds no active node", v1alpha1.ReasonUnavailable, RetryServer, false,
		"this node is a standby and finds no active one: look at the status of the cluster"}

	outcomeSlow = Outcome{"no answer in time, while the server is well otherwise", v1alpha1.ReasonUnavailable, RetryBackoff, false,
		"no whole answer came in time: look into Vault's log, or raise spec.timeoutSeconds of the VaultConnection"}
	outcomeBroken = Outcome{"the connection broke, while the server is well otherwise", v1alpha1.ReasonUnavailable, RetryBackoff, false,
		"the connection broke before a whole answer came: look into Vault's log, and at the proxies on the way"}
	outcomeUnreachable = Outcome{"no connection, or no answer in time", v1alpha1.ReasonUnavailable, RetryServer, false,
		"Vault does not answer: check that it runs, and the network policies on the way"}
	outcomeProxy = Outcome{"the proxy does not connect to the server", v1alpha1.ReasonProxyFailed, RetryServer, false,
		"Vault was not reached: check spec.proxy of the VaultConnection, and the proxy"}
	outcomeTLS = Outcome{"the server's certificate is not accepted", v1alpha1.ReasonTLSFailed, RetryServer, true,
		"the TLS connection failed: check spec.tls of the VaultConnection and the server's certificate"}

	outcomeLoginRefused = Outcome{"login refused", v1alpha1.ReasonLoginFailed, RetryLogin, true,
		"Vault refuses the login, which is tried once a minute: check spec.auth of the VaultConnection, and the auth method in Vault"}
	outcomeLoginFailed = Outcome{"login failed for another cause", v1alpha1.ReasonLoginFailed, RetryLogin, false,
		"the login did not succeed"}
	outcomeNoNamespaces = Outcome{"a Vault namespace is asked for and the server knows none", v1alpha1.ReasonNamespacesUnsupported, RetryLogin, true,
		"the server ignores namespaces, so everything would be read from its root: leave spec.vaultNamespace out, or use a server that has namespaces"}

	outcomeExchangeRefused = Outcome{"the cloud refuses the exchange", v1alpha1.ReasonExchangeRefused, RetryPeriod, true,
		"the cloud does not trade what Vault gave for a login at its registry: check the rights of the role or the service principal there"}
	outcomeExchangeNotYet = Outcome{"the cloud refuses the exchange of what was made a moment ago", v1alpha1.ReasonExchangeRefused, RetryShortly, false,
		"the cloud does not know yet what Vault made: it is tried again with the same"}
	outcomeExchangeUnavailable = Outcome{"the cloud gives no answer to the exchange", v1alpha1.ReasonExchangeUnavailable, RetryBackoff, false,
		"no login came from the cloud: look at its status, and at network policies and proxies on the way"}
	outcomeExchangeInput = Outcome{"200 without what the exchange trades", v1alpha1.ReasonKeyMissing, RetryPeriod, true,
		"the exchange takes what Vault's engines give, under the names that they give it: correct it in Vault"}
	outcomeExchangeRegistry = Outcome{"a registry of the spec that is none of the cloud's", v1alpha1.ReasonMalformed, RetryPeriod, true,
		"correct spec.registries, or give the registry a RegistryCredential of its own without exchange"}

	outcomeNoConnection = Outcome{"the VaultConnection does not exist", v1alpha1.ReasonConnectionNotFound, RetryPeriod, true,
		"create it, or name another one in spec.source.vault.connection"}
	outcomeConnectionRefused = Outcome{"the VaultConnection must not be used as it is", v1alpha1.ReasonConnectionRefused, RetryPeriod, true,
		"correct the VaultConnection"}
	outcomePathRefused = Outcome{"the path is not allowed", v1alpha1.ReasonPathNotAllowed, RetryPeriod, true,
		"name another path, or allow this one in spec.pathPrefixes of the VaultConnection"}
)

// Outcomes is the whole table, in the order of the documentation.
func Outcomes() []Outcome {
	return []Outcome{
		outcomeRead, outcomeEmpty, outcomeKeyMissing, outcomeRegistryMissing, outcomeMalformed, outcomeBadRegistry, outcomeOwnToken,
		outcomeNotVault, outcomeNoAnswer, outcomeOversized,
		outcomeRedirect, outcomeBadRequest, outcomeDeadToken, outcomeDenied,
		outcomeNeverWritten, outcomeDeleted, outcomeDestroyed, outcomeNoRole, outcomeNoMount, outcomeWrongEngine,
		outcomeBehind, outcomeRateLimitedFor, outcomeRateLimited, outcomeLeaseQuota, outcomeOwnLimit, outcomeRecovery, outcomePerfStandby,
		outcomeServerError, outcomeOutage, outcomeSealed, outcomeNoActive,
		outcomeSlow, outcomeBroken, outcomeUnreachable, outcomeProxy, outcomeTLS,
		outcomeLoginRefused, outcomeLoginFailed, outcomeNoNamespaces,
		outcomeExchangeRefused, outcomeExchangeNotYet, outcomeExchangeUnavailable, outcomeExchangeInput, outcomeExchangeRegistry,
		outcomeNoConnection, outcomeConnectionRefused, outcomePathRefused,
	}
}

// failure is an outcome at a place. It stays inside this package: what leaves it is a source.Error.
type failure struct {
	Outcome
	place  string // what was asked, for the message
	detail string // more than the table knows, such as the name of a key; never anything out of an answer's value
	whole  bool   // the detail says what to do next, so that the table's advice is left out
	cause  error
	wait   time.Duration // how long not to ask again; zero where the outcome leaves it open
	wasted bool          // the read made a credential, which was given back
	counts bool          // Vault counts the login against its role ID, which it locks after some
}

func (o Outcome) at(place string) *failure { return &failure{Outcome: o, place: place} }

func (f *failure) because(cause error) *failure { f.cause = cause; return f }

func (f *failure) saying(detail string) *failure { f.detail = detail; return f }

// advising is saying, with what to do next: the table's advice would be a second one.
func (f *failure) advising(detail string) *failure { f.detail, f.whole = detail, true; return f }

// copied is a failure that can be kept: the gate changes what it is given.
func (f *failure) copied() *failure {
	if f == nil {
		return nil
	}
	kept := *f
	return &kept
}

func (f *failure) Error() string {
	if f.whole {
		return f.place + ": " + f.detail
	}
	message := f.place + ": "
	if f.detail != "" {
		message += f.detail + "; "
	}
	return message + f.Message
}

func (f *failure) Unwrap() error { return f.cause }

// wholeServer tells a failure of the server from one of a path.
func (f *failure) wholeServer() bool { return f.Retry == RetryServer || f.Retry == RetryAsTold }

// wholeConnection tells a failure that every user of the connection meets from one of a path. Our own limit is no failure of the
// connection, and that its object is gone is said by those who name it.
func (f *failure) wholeConnection() bool {
	return f.wholeServer() || f.Retry == RetryLogin || f.Outcome == outcomeDeadToken || f.Outcome == outcomeConnectionRefused
}

// exported is what leaves this package: its message may quote certificates, places and versions, which others wrote.
func (f *failure) exported() *source.Error {
	return &source.Error{Reason: f.Reason, Message: foreign.Message(f.Error()), RetryAfter: f.wait, Stalled: f.Stalled, Wasted: f.wasted, Err: f.cause}
}
