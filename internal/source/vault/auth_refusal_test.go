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
