package checkup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
)

// credentialNamed is a RegistryCredential that reads through a VaultConnection and is Ready.
func credentialNamed(name, connection string, conditions ...metav1.Condition) v1alpha1.RegistryCredential {
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}
	return v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:   v1alpha1.RegistryCredentialSpec{Source: v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: connection}}},
		Status: v1alpha1.RegistryCredentialStatus{Conditions: append([]metav1.Condition{ready}, conditions...)}}
}

func TestWhatIsFoundWhereTwoFactsComeTogether(t *testing.T) {
	held := metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonHeld, Message: "no such host"}
	refused := metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoLongerAccepted}
	inUse := func(c v1alpha1.RegistryCredential, provenBy string, verified *metav1.Time) v1alpha1.RegistryCredential {
		c.Status.Credential = &v1alpha1.CredentialStatus{Revision: "7", ProvenBy: provenBy, VerifiedTime: verified}
		return c
	}
	at := metav1.NewTime(time.Unix(1e9, 0))
	for _, test := range []struct {
		name  string
		spoil func(*checkup.Facts)
		check string
		want  []string // "Level: what it says", in order
	}{
		{"no pod is wanted, and one is still there", func(f *checkup.Facts) { f.Deployments.Value[0].Wanted, f.Deployments.Value[0].Available = 0, 1 },
			"Operator", []string{"Problem: 1 of 0 pods"}},
		{"Deployments may not be read, and the lease was renewed a moment ago", func(f *checkup.Facts) { f.Deployments.Value, f.Deployments.Error = nil, "you may not" },
			"Leader", []string{"OK: regcred-1 leads"}},
		{"clocks differ, and the lease was renewed while it was looked at", func(f *checkup.Facts) { f.Lease.Value.Age, f.Lease.Value.Renewed = time.Hour, true },
			"Leader", []string{"OK: regcred-1 leads"}},
		{"a lease that nobody holds changed while it was looked at", func(f *checkup.Facts) { f.Lease.Value.Holder, f.Lease.Value.Renewed = "", true },
			"Leader", []string{"Problem: gave its lease back"}},
		{"a policy is ignored where it cannot be evaluated, and the API server warns", func(f *checkup.Facts) {
			f.Policies.Value["regcred-tokens"] = checkup.Policy{Ignores: true, Warnings: []string{"no such field"}}
		}, "Policies", []string{"Problem: has failurePolicy Ignore"}},
		{"one policy is missing, one has no binding and one is ignored", func(f *checkup.Facts) {
			delete(f.Policies.Value, "regcred-tokens")
			delete(f.Bindings.Value, "regcred-secrets")
			f.Policies.Value["regcred-events"] = checkup.Policy{Ignores: true}
		}, "Policies", []string{"Problem: regcred-tokens is missing", "Problem: regcred-secrets has no binding", "Problem: regcred-events has failurePolicy"}},
		{"policies may be read, and bindings may not", func(f *checkup.Facts) { f.Bindings.Error = "you may not read bindings" },
			"Policies", []string{"Unknown: you may not read bindings"}},
		{"a connection was looked at, and its condition is as old as it is", func(f *checkup.Facts) {
			f.Connections.Value[0].Generation, f.Connections.Value[0].Status.ObservedGeneration = 3, 3
			f.Connections.Value[0].Status.Conditions[0].ObservedGeneration = 1
		}, "Vault", []string{"OK: logged in"}},
		{"two have no connection, and of one nothing was ever accepted", func(f *checkup.Facts) {
			f.Credentials.Value = []v1alpha1.RegistryCredential{inUse(credentialNamed("a", "gone"), "", nil), credentialNamed("b", "gone")}
		}, "Credentials", []string{"Problem: RegistryCredential a reads through VaultConnection gone", "Problem: RegistryCredential b reads through VaultConnection gone"}},
		{"it was accepted, and it is not told how", func(f *checkup.Facts) { f.Credentials.Value[0] = inUse(f.Credentials.Value[0], "", &at) },
			"Credentials", []string{"OK: all RegistryCredentials that should be Ready are, of 1"}},
		{"it is said how it was accepted, and never when", func(f *checkup.Facts) { f.Credentials.Value[0] = inUse(f.Credentials.Value[0], "Login", nil) },
			"Credentials", []string{"Warning: of 1 of 1 RegistryCredentials no registry ever accepted the value in use: company"}},
		{"one says nothing of its registry, and the next has no answer", func(f *checkup.Facts) {
			f.Credentials.Value = []v1alpha1.RegistryCredential{credentialNamed("a", ""), credentialNamed("b", "", held)}
		}, "Registries", []string{"Warning: RegistryCredential b: no such host"}},
		{"one says nothing of its registry, and the next was refused", func(f *checkup.Facts) {
			f.Credentials.Value = []v1alpha1.RegistryCredential{credentialNamed("a", ""), credentialNamed("b", "", refused)}
		}, "Registries", []string{"OK: answered the operator for 1 of 2"}},
		{"the policy is at fault, and the index, too", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Fault, i.Remedy, i.AsMeant = "it is being deleted", "install it", false })
		}, "Injection", []string{"Problem: it is being deleted", "Warning: is not what this version would write"}},
	} {
		f := sound()
		test.spoil(&f)
		var got []checkup.Finding
		for _, found := range checkup.Findings(f) {
			if found.Check == test.check {
				got = append(got, found)
			}
		}
		for i, want := range test.want {
			level, says, _ := strings.Cut(want, ": ")
			if i >= len(got) || string(got[i].Level) != level || !strings.Contains(got[i].Message, says) {
				t.Errorf("%s: %+v, want %q", test.name, got, test.want)
				break
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %d findings, want %d: %+v", test.name, len(got), len(test.want), got)
		}
	}
}

// That a kind is missing is said once, and nothing is claimed of what cannot be read without it.
func TestWithoutAKindNothingIsSaidThatNeedsIt(t *testing.T) {
	for _, test := range []struct{ kinds, without []string }{
		{[]string{"RegistryCredential"}, []string{"CRDs", "Vault", "Fence"}},
		{[]string{"VaultConnection"}, []string{"CRDs", "Registries", "Credentials", "Injection"}},
		{nil, []string{"CRDs", "Vault", "Fence", "Registries", "Credentials", "Injection"}},
	} {
		f := sound()
		f.Kinds = test.kinds
		var said []string
		for _, found := range checkup.Findings(f) {
			said = append(said, found.Check)
		}
		for _, check := range test.without {
			if slices.Contains(said, check) {
				t.Errorf("with %q alone it is said what %s finds", f.Kinds, check)
			}
		}
		if !slices.Contains(said, "Operator") {
			t.Errorf("with %q alone: %q", f.Kinds, said)
		}
	}
}

// A schema may leave open what is in types of Kubernetes, and say nothing of a field but that it is there.
func TestOfTypesOfOthersNoFieldIsMissed(t *testing.T) {
	schema := schemaOf(t, "regcred.dev_registrycredentials.yaml")
	spec := schema["properties"].(map[string]any)["spec"].(map[string]any)["properties"].(map[string]any)
	target := spec["target"].(map[string]any)["properties"].(map[string]any)
	target["namespaceSelector"] = map[string]any{"type": "object"}
	target["secretName"] = map[string]any{}
	if missing := checkup.MissingFields("RegistryCredential", schema); len(missing) > 0 {
		t.Errorf("%q", missing)
	}
}
