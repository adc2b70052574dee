package vault

import (
	"fmt"

	"regcred.dev/regcred/api/v1alpha1"
)

// refusals are what Vault's auth methods say when they refuse a login, and what regcred says then. Vault's own text is not passed on,
// because it can hold what others wrote. The first that fits counts.
var refusals = []struct{ says, means string }{
	{"invalid role name", "Vault has no such role at this mount"},
	{"could not be found", "Vault has no such role at this mount"}, // jwt
	{"service account name not authorized", "bound_service_account_names of the role does not list this ServiceAccount"},
	{"namespace not authorized err=", "the role selects namespaces by labels, and Vault could not read those of the operator's namespace"},
	{"namespace not authorized", "neither bound_service_account_namespaces nor bound_service_account_namespace_selector of the role selects the operator's namespace"},
	{"(aud) claim", "the role expects another audience"},
	{"(sub) claim", "bound_subject of the role is another ServiceAccount"},
	{"fetching keys", "Vault could not fetch the keys of the issuer, with which it verifies the token: see whether it reaches their address, trusts its certificate, and may read them without a login"}, // jwt
	{"verifying token signature", "Vault has no key that verifies the token: the cluster's signing key changed, or the keys are another cluster's"},                                                      // jwt
	{"(iss) claim", "bound_issuer of the auth method is not the issuer of the token"},
	{"(nbf) claim", clocks},
	{"(iat) claim", clocks},
	{"(exp) claim", clocks},
	{notConfigured, "the auth method is enabled, and its config was not written"},
	{"could not load configuration", "the auth method is enabled, and its config was not written"}, // jwt
	{"invalid role ID", "Vault does not know the role ID"},
	{wrongSecretID, "the secret ID is wrong or has ended"},
	{wrongRoleOrSecretID, "the role ID or the secret ID is wrong, or the secret ID has ended"},
	{"CIDR restrictions", "secret_id_bound_cidrs of the role, or cidr_list of the secret ID, does not list the address from which Vault sees the operator"},
}

const (
	// What Vault's approle method says of a secret ID that is wrong or has ended.
	wrongSecretID, wrongRoleOrSecretID = "invalid secret id", "invalid role or secret ID"
	// leaseQuota is what Vault answers with 429 where a mount has as many leases as it may have.
	leaseQuota = "lease count quota exceeded"
)

// clocks is the cause where a token that was just made is said to begin later or to have ended.
const clocks = "for Vault the token is not valid yet or has ended: the clocks of Vault and of the API server differ"

// notConfigured is what Vault 1.14 answers with 500 where the kubernetes method has no config.
const notConfigured = "could not load backend configuration"

// whyRefused is what an answer to a login says of the cause, as far as it is known; else it is empty.
func whyRefused(a *answer) string {
	for _, refusal := range refusals {
		if mentions(a.content.Errors, refusal.says) {
			return refusal.means
		}
	}
	return ""
}

// refusedHint names the cause of a refused login with a ServiceAccount's token, or the usual ones where Vault does not say which. Vault
// answers "permission denied" also where nothing is enabled at the mount.
func refusedHint(method, why string, auth *v1alpha1.ServiceAccountAuth) string {
	sent := fmt.Sprintf("role %q, ServiceAccount %s, audience %v", auth.Role, auth.AccountName(), auth.TokenAudiences())
	switch {
	case why != "":
		return why + " (" + sent + ")"
	case method == "kubernetes":
		return "no auth method is enabled at this mount, or Vault may not review tokens: its reviewer's token is missing, has ended, or lacks " +
			"system:auth-delegator, or kubernetes_host takes no tokens of ServiceAccounts (" + sent + ")"
	default:
		return "no auth method is enabled at this mount, or the role does not accept the token (" + sent + ")"
	}
}
