package preview_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/preview"
	"regcred.dev/regcred/internal/pullsecret"
)

func TestWhichChangesOfASpecChangeASecretThatIsThere(t *testing.T) {
	inShop := preview.Namespace{Name: "n", Labels: map[string]string{"team": "shop"}, Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}}
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.RegistryCredentialSpec)
		want   preview.Effect
	}{
		{"nothing", func(*v1alpha1.RegistryCredentialSpec) {}, preview.Keep},
		{"what becomes of it at the end", func(s *v1alpha1.RegistryCredentialSpec) { s.DeletionPolicy = v1alpha1.DeletionDelete }, preview.Keep},
		{"how values are tested", func(s *v1alpha1.RegistryCredentialSpec) { s.Verification = &v1alpha1.Verification{} }, preview.Keep},
		{"how pods are cured", func(s *v1alpha1.RegistryCredentialSpec) { s.PodRecovery = &v1alpha1.PodRecovery{} }, preview.Keep},
		{"who names it", func(s *v1alpha1.RegistryCredentialSpec) { s.Target.Attach = v1alpha1.AttachNone }, preview.Keep},
		{"its name, written out", func(s *v1alpha1.RegistryCredentialSpec) { s.Target.SecretName = v1alpha1.DefaultSecretName }, preview.Keep},
		{"its labels", func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.SecretLabels = map[string]v1alpha1.LabelValue{"a": "b"}
		}, preview.Update},
		{"its annotations", func(s *v1alpha1.RegistryCredentialSpec) {
			s.Target.SecretAnnotations = map[string]v1alpha1.AnnotationValue{"a": "b"}
		}, preview.Update},
		{"the form of its keys", func(s *v1alpha1.RegistryCredentialSpec) { s.Target.EntryPer = v1alpha1.EntryPerHost }, preview.Update},
		{"where the value comes from", func(s *v1alpha1.RegistryCredentialSpec) { s.Source.Vault = &v1alpha1.VaultSource{Path: "x"} }, preview.Update},
	} {
		if got := rowsOf(t, object(), object(test.change), inShop); len(got) != 1 || got[0].Secret != test.want {
			t.Errorf("%s: %+v, want %s", test.name, got, test.want)
		}
	}
}

func TestWhatIsTakenAwayFromAProtectedNamespaceIsTold(t *testing.T) {
	named := func(names ...v1alpha1.NamespaceName) *v1alpha1.RegistryCredential {
		return object(func(s *v1alpha1.RegistryCredentialSpec) { s.Target = v1alpha1.Target{Namespaces: names} })
	}
	system := preview.Namespace{Name: "kube-system", Secret: diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}}
	if got := rowsOf(t, named("kube-system", "n"), named("n"), system); len(got) != 1 || got[0].Secret != preview.Remove {
		t.Errorf("named before, and not now: %+v", got)
	}
	labels := object(func(s *v1alpha1.RegistryCredentialSpec) {
		s.Target = v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
	})
	system.Labels = map[string]string{"a": "b"}
	if got := rowsOf(t, labels, named("n"), system); len(got) != 0 {
		t.Errorf("by a label it was never selected: %+v", got)
	}
}

func TestWhoNamesASecretIsToldThoughTheSecretMayNotBeRead(t *testing.T) {
	unread := preview.Namespace{Name: "n", Labels: map[string]string{"team": "shop"}, Secret: diagnosis.Secret{Unread: true}, Accounts: []diagnosis.Account{{Name: "default"}}}
	if got := rowsOf(t, nil, object(), unread); len(got) != 1 || got[0].Secret != preview.Unknown || len(got[0].Attach) != 1 {
		t.Errorf("%+v", got)
	}
}
