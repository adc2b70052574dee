package preview_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/preview"
	"regcred.dev/regcred/internal/pullsecret"
)

func object(changes ...func(*v1alpha1.RegistryCredentialSpec)) *v1alpha1.RegistryCredential {
	o := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}, Spec: v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"registry.company.io", "mirror.company.io"},
		Target:     v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}},
	}}
	for _, change := range changes {
		change(&o.Spec)
	}
	return o
}

func adopts(spec *v1alpha1.RegistryCredentialSpec) {
	spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt
}

func attaches(mode v1alpha1.AttachMode) func(*v1alpha1.RegistryCredentialSpec) {
	return func(spec *v1alpha1.RegistryCredentialSpec) { spec.Target.Attach = mode }
}

var limits = preview.Limits{SecretNames: []string{"regcred"}, ServiceAccountNames: []string{"default", "ci"}, Protected: []string{"kube-system"}, Own: "regcred-system"}

func rowsOf(t *testing.T, before, after *v1alpha1.RegistryCredential, namespaces ...preview.Namespace) []preview.Row {
	t.Helper()
	selectors, err := preview.SelectorsOf(before, after, limits)
	if err != nil {
		t.Fatal(err)
	}
	return preview.Rows(after, selectors, limits, namespaces)
}

func TestWhatHappensInANamespace(t *testing.T) {
	shop := map[string]string{"team": "shop"}
	account := diagnosis.Account{Name: "default"}
	byHand := diagnosis.Secret{Owner: pullsecret.Owner{Manager: "a person", Fix: "delete it", Adoptable: true}}
	for _, test := range []struct {
		name          string
		before, after *v1alpha1.RegistryCredential
		namespace     preview.Namespace
		want          []preview.Row
	}{
		{"it has no Secret", nil, object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Missing: true}, Accounts: []diagnosis.Account{account}},
			[]preview.Row{{Namespace: "n", Secret: preview.Create, Attach: []string{"default"}}}},
		{"its ServiceAccount names the Secret already", nil, object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Missing: true},
			Accounts: []diagnosis.Account{{Name: "default", PullSecrets: []string{"regcred"}}}}, []preview.Row{{Namespace: "n", Secret: preview.Create}}},
		{"its ServiceAccount is still to come", nil, object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Missing: true},
			Accounts: []diagnosis.Account{{Name: "ci", Missing: true}}}, []preview.Row{{Namespace: "n", Secret: preview.Create, Note: "ServiceAccount ci does not exist; it is served when it comes"}}},
		{"its ServiceAccount may not be read", nil, object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Missing: true},
			Accounts: []diagnosis.Account{{Name: "ci", Unread: true}}}, []preview.Row{{Namespace: "n", Secret: preview.Create, Note: "you may not read ServiceAccount ci"}}},
		{"regcred made its Secret", object(), object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}},
			[]preview.Row{{Namespace: "n", Secret: preview.Keep}}},
		{"regcred made its Secret, and only when it is read changes", object(), object(func(s *v1alpha1.RegistryCredentialSpec) { s.RefreshPeriodSeconds = new(int32) }),
			preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}}, []preview.Row{{Namespace: "n", Secret: preview.Keep}}},
		{"regcred made its Secret, which loses an entry", object(), object(func(s *v1alpha1.RegistryCredentialSpec) { s.Registries = s.Registries[:1] }),
			preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}}, []preview.Row{{Namespace: "n", Secret: preview.Update}}},
		{"regcred made its Secret, which gets a label", object(), object(func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.SecretLabels = map[string]v1alpha1.LabelValue{"a": "b"}
		}), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}}, []preview.Row{{Namespace: "n", Secret: preview.Update}}},
		{"regcred made its Secret for another", object(func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"n"}
		}), object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}}, []preview.Row{{Namespace: "n", Secret: preview.Update}}},
		{"regcred made its Secret for another, and this one is new", nil, object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}},
			[]preview.Row{{Namespace: "n", Secret: preview.Update}}},
		{"somebody made its Secret by hand", nil, object(), preview.Namespace{Labels: shop, Secret: byHand, Accounts: []diagnosis.Account{account}},
			[]preview.Row{{Namespace: "n", Secret: preview.Refuse, Note: "Secret regcred belongs to a person: delete it"}}},
		{"somebody made its Secret by hand, and it is to be adopted", nil, object(adopts), preview.Namespace{Labels: shop, Secret: byHand},
			[]preview.Row{{Namespace: "n", Secret: preview.Adopt, Note: "made by a person"}}},
		{"a tool made its Secret", nil, object(adopts), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Manager: "Helm", Fix: "ask Helm"}}},
			[]preview.Row{{Namespace: "n", Secret: preview.Refuse, Note: "Secret regcred belongs to Helm: ask Helm"}}},
		{"its Secret may not be read", nil, object(), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Unread: true}},
			[]preview.Row{{Namespace: "n", Secret: preview.Unknown, Note: "you may not read Secret regcred"}}},
		{"it does not exist", nil, object(func(s *v1alpha1.RegistryCredentialSpec) { s.Target.Namespaces = []v1alpha1.NamespaceName{"n"} }), preview.Namespace{Missing: true},
			[]preview.Row{{Namespace: "n", Secret: preview.Create, Note: "the namespace does not exist; it is served when it comes"}}},
		{"it is selected no more", object(), object(func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"n"}
		}), preview.Namespace{Labels: shop}, []preview.Row{{Namespace: "n", Secret: preview.Remove, Note: "it is not selected any more"}}},
		{"its pods get the Secret, and its ServiceAccounts do not", nil, object(attaches(v1alpha1.AttachPods)), preview.Namespace{Labels: shop,
			Secret: diagnosis.Secret{Missing: true}, Accounts: []diagnosis.Account{account}}, []preview.Row{{Namespace: "n", Secret: preview.Create, Pods: true}}},
		{"its annotation keeps pods from getting the Secret", nil, object(adopts, attaches(v1alpha1.AttachPods)), preview.Namespace{Labels: shop, Secret: byHand, OptedOut: true},
			[]preview.Row{{Namespace: "n", Secret: preview.Adopt, Note: "made by a person; its annotation regcred.dev/attach: Disabled keeps pods from getting the Secret"}}},
		{"nothing is attached", nil, object(attaches(v1alpha1.AttachNone)), preview.Namespace{Labels: shop, Secret: diagnosis.Secret{Missing: true},
			Accounts: []diagnosis.Account{account}}, []preview.Row{{Namespace: "n", Secret: preview.Create}}},
		{"it never was selected", nil, object(), preview.Namespace{}, []preview.Row{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.namespace.Name = "n"
			got := rowsOf(t, test.before, test.after, test.namespace)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if preview.Removes(got) != (len(got) > 0 && got[0].Secret == preview.Remove) {
				t.Errorf("removes: %t", preview.Removes(got))
			}
		})
	}
}

func TestNoSelectorReachesAProtectedNamespace(t *testing.T) {
	for _, name := range []string{"kube-system", "regcred-system"} {
		system := preview.Namespace{Name: name, Labels: map[string]string{"team": "shop"}, Secret: diagnosis.Secret{Missing: true}}
		if rows := rowsOf(t, nil, object(), system); len(rows) > 0 {
			t.Errorf("got %+v", rows)
		}
	}
}

func TestAProtectedNamespaceThatIsNamedIsRefused(t *testing.T) {
	for name, says := range map[string]string{"kube-system": "protectedNamespaces", "regcred-system": "its own namespace"} {
		names := object(func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.Namespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(name)}
		})
		for _, there := range []preview.Namespace{{Secret: diagnosis.Secret{Missing: true}}, {Missing: true}, {Secret: diagnosis.Secret{Unread: true}}} {
			there.Name = name
			rows := rowsOf(t, nil, names, there)
			if len(rows) != 1 || rows[0].Secret != preview.Refuse || len(rows[0].Attach) > 0 || !strings.Contains(rows[0].Note, says) {
				t.Errorf("%s: got %+v", name, rows)
			}
		}
	}
}

func TestNamesThatTheOperatorWasNotGivenAreTold(t *testing.T) {
	wants := object(func(s *v1alpha1.RegistryCredentialSpec) {
		s.Target.SecretName, s.Target.ServiceAccounts = "pull-secret", &[]string{"default", "builder"}
	})
	for _, test := range []struct {
		name   string
		limits preview.Limits
		object *v1alpha1.RegistryCredential
		want   []string
	}{
		{"all were given", limits, object(), nil},
		{"two were not", limits, wants, []string{"Secret pull-secret, only regcred", "ServiceAccount builder, only default, ci"}},
		{"every name was given", preview.Limits{SecretNames: []string{preview.Any}, ServiceAccountNames: []string{preview.Any}}, wants, nil},
		{"it is not known which", preview.Limits{}, wants, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.limits.NotGiven(test.object)
			if len(got) != len(test.want) {
				t.Fatalf("got %q", got)
			}
			for i := range got {
				if !strings.Contains(got[i], test.want[i]) {
					t.Errorf("%q lacks %q", got[i], test.want[i])
				}
			}
		})
	}
}

func TestWhatAPersonShouldLookAtComesFirst(t *testing.T) {
	shop := map[string]string{"team": "shop"}
	rows := rowsOf(t, object(), object(func(s *v1alpha1.RegistryCredentialSpec) { s.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"z"} }),
		preview.Namespace{Name: "a", Labels: shop, Secret: diagnosis.Secret{Missing: true}},
		preview.Namespace{Name: "z", Labels: shop},
		preview.Namespace{Name: "b", Labels: shop, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Manager: "Helm"}}})
	var names []string
	for _, row := range rows {
		names = append(names, row.Namespace)
	}
	if got := strings.Join(names, ""); got != "zba" || preview.Sum(rows) != "1 Remove, 1 Refuse, 1 Create" {
		t.Errorf("%s: %s", got, preview.Sum(rows))
	}
	if preview.Sum(nil) != "it selects no namespace" {
		t.Error(preview.Sum(nil))
	}
}

func TestWhatNamespacesLoseThatStaySelected(t *testing.T) {
	for _, test := range []struct {
		name   string
		before *v1alpha1.RegistryCredential
		change func(*v1alpha1.RegistryCredentialSpec)
		want   []string
	}{
		{"nothing changes", object(), func(*v1alpha1.RegistryCredentialSpec) {}, nil},
		{"it is new", nil, func(*v1alpha1.RegistryCredentialSpec) {}, nil},
		{"a registry is listed no more", object(), func(s *v1alpha1.RegistryCredentialSpec) { s.Registries = s.Registries[:1] },
			[]string{"every namespace loses the entry for mirror.company.io"}},
		{"a registry is written in another way", object(), func(s *v1alpha1.RegistryCredentialSpec) { s.Registries[1] = "mirror.company.io/" }, nil},
		{"nothing is attached any more", object(), attaches(v1alpha1.AttachNone), []string{"new pods name Secret regcred only where their templates do"}},
		{"nothing was attached before", object(attaches(v1alpha1.AttachNone)), attaches(v1alpha1.AttachNone), nil},
		{"pods get the Secret from the policy now", object(), attaches(v1alpha1.AttachPods), nil},
		{"the Secret gets another name", object(), func(s *v1alpha1.RegistryCredentialSpec) { s.Target.SecretName = "other" },
			[]string{"Secret regcred loses its entries once Secret other is there"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, preview.Losses(test.before, object(test.change))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhetherASpecIsTheSame(t *testing.T) {
	if !preview.Unchanged(object(), object()) || preview.Unchanged(nil, object()) || preview.Unchanged(object(), object(adopts)) {
		t.Error("it is not told apart")
	}
	other := object()
	other.Generation, other.Status.Conditions = 7, []metav1.Condition{{Type: "x"}}
	if !preview.Unchanged(other, object()) {
		t.Error("what is not in a manifest counts")
	}
}
