package preview_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/preview"
	"regcred.dev/regcred/internal/pullsecret"
)

func TestWhichSecretsTheOperatorDoesNotTakeOver(t *testing.T) {
	for _, test := range []struct{ name, namespace, secret, says string }{
		{"one of a team", "shop", "regcred", ""},
		{"one of the operator's own namespace", "regcred-system", "regcred", "its own namespace"},
		{"one of a protected namespace", "kube-system", "regcred", "the namespace is protected: take it out of protectedNamespaces"},
		{"one of another name", "shop", "other", "Secret other, only regcred"},
	} {
		if got := limits.RefusesSecret(test.namespace, test.secret); (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestTheLimitsAreNotChangedByAsking(t *testing.T) {
	spare := append(make([]string, 0, 4), "kube-system")
	l := preview.Limits{Protected: spare, Own: "regcred-system"}
	if got := l.Selecting(); !slices.Equal(got, []string{"kube-system", "regcred-system"}) || spare[:2][1] != "" {
		t.Errorf("%q, and what was given is %q", got, spare[:2])
	}
}

func TestASelectorThatCannotBeReadIsAnError(t *testing.T) {
	broken := object(func(s *v1alpha1.RegistryCredentialSpec) {
		s.Target.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}}
	})
	for name, pair := range map[string][2]*v1alpha1.RegistryCredential{"of the object as it is": {broken, object()}, "of the object as it would be": {object(), broken}, "of a new one": {nil, broken}} {
		if _, err := preview.SelectorsOf(pair[0], pair[1], limits); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Where nothing is written, nothing is said of pods either.
func TestWhereNothingIsWrittenNoPodGetsTheSecret(t *testing.T) {
	shop, account := map[string]string{"team": "shop"}, []diagnosis.Account{{Name: "default"}}
	for _, mode := range []v1alpha1.AttachMode{v1alpha1.AttachPods, v1alpha1.AttachServiceAccounts} {
		names := object(attaches(mode), func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.Namespaces, s.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"kube-system", "later"}, []v1alpha1.NamespaceName{"left"}
		})
		for _, n := range []preview.Namespace{
			{Name: "left", Labels: shop, Accounts: account}, {Name: "kube-system", Accounts: account}, {Name: "later", Missing: true, Accounts: account},
			{Name: "theirs", Labels: shop, Accounts: account, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Manager: "Helm"}}},
		} {
			if rows := rowsOf(t, object(), names, n); len(rows) != 1 || rows[0].Pods || len(rows[0].Attach) > 0 || rows[0].Note == "" {
				t.Errorf("attach %s, namespace %s: %+v", mode, n.Name, rows)
			}
		}
	}
}

func TestWhatOthersWroteChangesNoTerminal(t *testing.T) {
	raw := strings.Repeat("x\x1b[2J", 1000)
	for _, owner := range []pullsecret.Owner{{Manager: raw, Fix: raw}, {Manager: raw, Adoptable: true}} {
		n := preview.Namespace{Name: "n", Labels: map[string]string{"team": "shop"}, Secret: diagnosis.Secret{Owner: owner}}
		if rows := rowsOf(t, nil, object(adopts), n); strings.Contains(rows[0].Note, "\x1b") || len(rows[0].Note) > foreign.MessageLength {
			t.Errorf("%+v", rows)
		}
	}
}

func TestWhichNamespacesAreLookedAt(t *testing.T) {
	before := object(func(s *v1alpha1.RegistryCredentialSpec) {
		s.Target = v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"left", "stays"}}
	})
	after := object(func(s *v1alpha1.RegistryCredentialSpec) {
		s.Target = v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"new", "stays"}}
	})
	selectors, err := preview.SelectorsOf(before, after, limits)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"left": true, "new": true, "stays": true, "other": false} {
		if got := selectors.Concerns(name, nil); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestNamesAreCleanedToo(t *testing.T) {
	const raw = "n\x1b[2J"
	n := preview.Namespace{Name: raw, Labels: map[string]string{"team": "shop"}, Secret: diagnosis.Secret{Missing: true}, Accounts: []diagnosis.Account{{Name: raw}}}
	rows := rowsOf(t, nil, object(), n)
	if len(rows) != 1 || strings.Contains(rows[0].Namespace+strings.Join(rows[0].Attach, ""), "\x1b") {
		t.Errorf("%+v", rows)
	}
}
