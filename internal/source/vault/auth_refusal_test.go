package vault

import (
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestARefusedLoginSaysWhichMistakeItWas(t *testing.T) {
	for _, test := range []struct{ name, vault, want string }{
		{"a role that does not exist", `invalid role name "regcrd"`, "Vault has no such role"},
		{"a ServiceAccount that the role does not list", "service account name not authorized", "bound_service_account_names"},
		{"a namespace that the role does not list", "namespace not authorized", "bound_service_account_namespaces"},
		{"another audience", `invalid audience (aud) claim: audience claim does not match any bound audience`, "another audience"},
		{"a method without config", "could not load backend configuration", "its config was not written"},
		{"a wrong secret ID", "invalid secret id", "the secret ID is wrong"},
		{"an address for which the secret ID is not", `source address "10.0.0.7" unauthorized through CIDR restrictions on the secret ID`, "secret_id_bound_cidrs"},
		{"an address for which the role is not", `source address "10.0.0.7" unauthorized by CIDR restrictions on the role: %!w(<nil>)`, "secret_id_bound_cidrs"},
		{"what Vault says of everything else", "permission denied", ""},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &answer{}
			if test.vault != "" {
				a.content.Errors = []string{"1 error occurred", test.vault}
			}
			got := whyRefused(a)
			if got == "" != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("said %q, want %q", got, test.want)
			}
		})
	}
}

// Vault answers "permission denied" to a locked role ID whatever the secret ID (https://github.com/hashicorp/vault/issues/21507): whoever
// has just corrected it must not take the new one for wrong, too.
func TestARoleIDThatVaultLockedIsSaidToBeLockedPerhaps(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(403, `{"errors":["permission denied"]}`))
	failure := newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	if !strings.Contains(failure.Message, "sys/locked-users") {
		t.Errorf("said %s", failure.Message)
	}
}

func TestTheHintOfARefusedLoginSaysWhatWasSent(t *testing.T) {
	auth := &v1alpha1.ServiceAccountAuth{Role: "regcred"}
	for _, test := range []struct{ name, method, why, want string }{
		{"where the cause is known", "kubernetes", "Vault has no such role at this mount", "Vault has no such role at this mount (role"},
		{"where Vault may not review tokens", "kubernetes", "", "system:auth-delegator"},
		{"another method", "jwt", "", "the role does not accept the token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := refusedHint(test.method, test.why, auth)
			for _, part := range []string{test.want, `role "regcred"`, "ServiceAccount " + auth.AccountName()} {
				if !strings.Contains(got, part) {
					t.Errorf("%q lacks %q", got, part)
				}
			}
		})
	}
}

// The texts are those of Vault's kubernetes method (path_login.go, parseAndValidateJWT): with bound_service_account_namespace_selector it
// reads the namespace's labels with the right of its reviewer (https://github.com/hashicorp/vault-helm/pull/1172,
// https://github.com/hashicorp/vault/issues/29055).
func TestANamespaceWhoseLabelsVaultMayNotReadIsNotSaidToBeMissingInTheRole(t *testing.T) {
	for name, says := range map[string]string{
		"its reviewer has no right": `namespace not authorized err=failed to get namespace (code 403 status namespaces "regcred-system" is forbidden: ` +
			`User "system:serviceaccount:vault:vault" cannot get resource "namespaces" in API group "" in the namespace "regcred-system")`,
		"it has no reviewer": `namespace not authorized err=failed to get namespace (code 401 status Unauthorized)`,
	} {
		t.Run(name, func(t *testing.T) {
			got := whyRefused(&answer{content: content{Errors: []string{says}}})
			if strings.Contains(got, "does not list") || !strings.Contains(got, "labels") {
				t.Errorf("said %q", got)
			}
		})
	}
	if got := whyRefused(&answer{content: content{Errors: []string{"namespace not authorized"}}}); !strings.Contains(got, "bound_service_account_namespace_selector") {
		t.Errorf("a role can select by labels, too, and %q does not say so", got)
	}
}

// The signing keys of a cluster change: https://github.com/NVIDIA/nvcf/issues/826, https://github.com/hashicorp/vault/issues/11611. The texts are
// those of Vault's jwt method and of github.com/hashicorp/cap/jwt.
func TestATokenThatVaultsKeysDoNotVerifyIsNoMissingAuthMethod(t *testing.T) {
	auth := &v1alpha1.ServiceAccountAuth{Role: "regcred"}
	for _, test := range []struct{ name, vault, want string }{
		{"written keys", "error validating token: error verifying token signature: no known key successfully validated the token signature", "keys"},
		{"keys of the issuer", "error validating token: error verifying token signature: failed to verify id token signature", "keys"},
		{"another issuer", "error validating token: invalid issuer (iss) claim", "issuer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := refusedHint("jwt", whyRefused(&answer{content: content{Errors: []string{test.vault}}}), auth)
			if strings.Contains(got, "no auth method is enabled") || !strings.Contains(got, test.want) {
				t.Errorf("said %q", got)
			}
		})
	}
}

// Vault fetches the keys of the issuer, which anonymous users may not read in most clusters: https://github.com/hashicorp/vault-plugin-auth-jwt/issues/11.
// The texts are those of github.com/hashicorp/cap/jwt and of github.com/coreos/go-oidc (remoteKeySet).
func TestKeysThatVaultCannotFetchAreNoKeysThatChanged(t *testing.T) {
	for name, cause := range map[string]string{
		"they may not be read": "get keys failed: 403 Forbidden",
		"they are not reached": `get keys failed Get "https://api.internal:6443/openid/v1/jwks": dial tcp 10.0.0.1:6443: i/o timeout`,
		"another authority":    `get keys failed Get "https://api.internal:6443/openid/v1/jwks": x509: certificate signed by unknown authority`,
		"what came is no key":  "failed to decode keys: invalid character '<' looking for beginning of value",
		"Vault did not wait":   `get keys failed Get "https://api.internal:6443/openid/v1/jwks": context canceled`,
	} {
		got := whyRefused(&answer{content: content{Errors: []string{"error validating token: error verifying token signature: fetching keys oidc: " + cause}}})
		if strings.Contains(got, "changed") || strings.Contains(got, "another cluster") || !strings.Contains(got, "fetch") {
			t.Errorf("%s: said %q", name, got)
		}
	}
}
