package delivery

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// there is a Secret in the first namespace, made by regcred or not.
func (g *rig) there(name string, ours bool) *corev1.Secret {
	g.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n-00000", Name: name}, Type: corev1.SecretTypeDockerConfigJson}
	if ours {
		secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
		secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"company": {Revision: "1-x", Keys: []string{"r.example"}}}.String()}
	}
	if err := g.c.Create(g.t.Context(), secret); err != nil {
		g.t.Fatal(err)
	}
	return secret
}

func inFirst(names ...string) (places []delivered.Place) {
	for _, name := range names {
		places = append(places, delivered.Place{Namespace: "n-00000", Name: name})
	}
	return places
}

func samePlaces(got, want []delivered.Place) bool {
	if len(got) != len(want) {
		return false
	}
	return !slices.ContainsFunc(want, func(place delivered.Place) bool { return !slices.Contains(got, place) })
}

func TestASecretThatRecordsARegistryCredentialIsLookedAtWhereNothingElseTellsOfIt(t *testing.T) {
	company := credential("company", "r.example")
	company.Spec.Target.NamespaceSelector.MatchLabels["team"] = "nobody"
	g := newRig(t, 1, company)
	g.r.ledger.note(g.there("left-over", true))
	if got := g.r.placesOf(t.Context(), company); !samePlaces(got, inFirst("left-over")) {
		t.Errorf("%v", got)
	}
}

func TestANamespaceThatIsBeingDeletedIsNotSelected(t *testing.T) {
	company := credential("company", "r.example")
	g := newRig(t, 2, company)
	var going corev1.Namespace
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00001"}, &going); err != nil {
		t.Fatal(err)
	}
	going.Finalizers = []string{"example.com/wait"}
	if err := errors.Join(g.c.Update(t.Context(), &going), g.c.Delete(t.Context(), &going)); err != nil {
		t.Fatal(err)
	}
	if got := g.r.selectedBy(t.Context(), company); !slices.Equal(got, []string{"n-00000"}) {
		t.Errorf("%v", got)
	}
}

func TestInANamespaceOurSecretsAreLookedAtUnderAnyName(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.there("renamed-since", true)
	g.there("of-somebody", false)
	if got := g.r.placesIn(t.Context(), "n-00000"); !samePlaces(got, inFirst("regcred", "renamed-since")) {
		t.Errorf("%v", got)
	}
}

func TestWhichPlacesASecretHasLookedAt(t *testing.T) {
	for _, test := range []struct {
		name   string
		secret string
		ours   bool
		before bool // it was ours before the change
		want   []string
	}{
		{"one of somebody's, under a name that nobody wants", "of-somebody", false, false, nil},
		{"one of somebody's, under a name that is wanted", "regcred", false, false, []string{"regcred", "other-of-ours"}},
		{"one that was ours", "given-away", false, true, []string{"given-away", "other-of-ours"}},
		{"one of ours", "renamed-since", true, true, []string{"renamed-since", "other-of-ours"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1, credential("company", "r.example"))
			g.r.Secrets = twoNames{everyName{g.c}}
			g.there("other-of-ours", true)
			secret := g.there(test.secret, test.ours)
			var before []*corev1.Secret
			if test.before {
				old := secret.DeepCopy()
				old.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
				before = append(before, old)
			}
			if got := g.r.placesBeside(t.Context(), secret, before...); !samePlaces(got, inFirst(test.want...)) {
				t.Errorf("%v, want %q", got, test.want)
			}
			if !test.before {
				return
			}
			q := &added{}
			g.r.onSecret().Update(t.Context(), event.TypedUpdateEvent[*corev1.Secret]{ObjectOld: before[0], ObjectNew: secret}, q)
			if !samePlaces(q.places, inFirst(test.want...)) {
				t.Errorf("the watch tells of it, and %v are looked at, want %q", q.places, test.want)
			}
		})
	}
}

// twoNames is an operator that was given more than one name.
type twoNames struct{ everyName }

func (twoNames) Names() []string { return []string{"regcred", "registry-creds"} }

func TestASelectorIsReadAgainWhereItsRegistryCredentialIsAnother(t *testing.T) {
	var known selectors
	selects := func(one *v1alpha1.RegistryCredential) bool {
		selector, err := known.of(one, nil)
		if err != nil {
			t.Fatal(err)
		}
		return selector.Selects("n", map[string]string{"team": "shop"})
	}
	company := credential("company", "r.example")
	company.Generation = 0 // as nothing that a server has
	if !selects(company) {
		t.Error("it does not select what it should")
	}
	company.Spec.Target.NamespaceSelector.MatchLabels["team"] = "other"
	if selects(company) {
		t.Error("a selector without a generation is remembered")
	}
	company.Generation = 1
	if selects(company) {
		t.Error("it selects what it should not")
	}
	company.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shop"
	for _, change := range []func(){func() { company.Generation = 2 }, func() { company.UID = "another" }} {
		company.Spec.Target.NamespaceSelector.MatchLabels["team"] = "other"
		known.forget("company")
		selects(company)
		company.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shop"
		if change(); !selects(company) {
			t.Error("the selector of another one is remembered")
		}
	}
}

func TestWhyASelectorCannotBeReadIsSaidEachTime(t *testing.T) {
	var known selectors
	broken := credential("company", "r.example")
	broken.Spec.Target.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}
	for range 2 {
		if _, err := known.of(broken, nil); err == nil {
			t.Error("it is said to be readable")
		}
	}
}
