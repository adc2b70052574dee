package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/removal"
)

var first = delivered.Place{Namespace: "n-00000", Name: "regcred"}

// A cache that shows less than what was written is read past: by it, regcred would write the same again, or take its own write for a rival's.
func TestWhenACacheIsKnownToBeBehind(t *testing.T) {
	secret := func(uid, version string) *corev1.Secret {
		s := &corev1.Secret{}
		s.UID, s.ResourceVersion = "uid", version
		if uid != "" {
			s.UID = "other"
		}
		return s
	}
	going := secret("", "8")
	going.DeletionTimestamp = ptr.To(metav1.Now())
	wrote := func(version string) trace {
		var tr trace
		tr.wrote(secret("", version))
		return tr
	}
	removed := trace{version: "7"}
	removed.removed(secret("", "7"))
	for _, test := range []struct {
		name   string
		known  trace
		cached *corev1.Secret
		want   bool
	}{
		{"nothing is known", trace{}, secret("", "3"), false},
		{"nothing is known, and there is nothing", trace{}, nil, false},
		{"it shows what was before the write", wrote("7"), secret("", "6"), true},
		{"it shows the write", wrote("7"), secret("", "7"), false},
		{"it shows more than the write", wrote("7"), secret("", "10"), false},
		{"it shows nothing of what was made", wrote("7"), nil, true},
		{"it shows a version that cannot be compared", wrote("7"), secret("", "x"), false},
		{"a write failed", trace{doubt: true}, secret("", "7"), true},
		{"it shows what was deleted", removed, secret("", "7"), true},
		{"it shows that it is being deleted", removed, going, false},
		{"it shows another one of the name", removed, secret("other", "9"), false},
		{"it shows that it is gone", removed, nil, false},
	} {
		var cached client.Object
		if test.cached != nil {
			cached = test.cached
		}
		if got := test.known.behind(cached); got != test.want {
			t.Errorf("%s: behind is %t", test.name, got)
		}
	}
}

func TestWhatAPlaceLoses(t *testing.T) {
	other := func(change func(*v1alpha1.RegistryCredential)) *v1alpha1.RegistryCredential {
		c := credential("other", "gone.example")
		change(c)
		return c
	}
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.RegistryCredential)
		beside *v1alpha1.RegistryCredential
		secret string
		want   bool
	}{
		{"nothing, while it is selected", func(*v1alpha1.RegistryCredential) {}, nil, "regcred", false},
		{"its entries, where it is deleted with them", func(c *v1alpha1.RegistryCredential) {
			c.DeletionTimestamp, c.Spec.DeletionPolicy = ptr.To(metav1.Now()), v1alpha1.DeletionDelete
		}, nil, "regcred", true},
		{"nothing, where it is deleted and they stay", func(c *v1alpha1.RegistryCredential) { c.DeletionTimestamp = ptr.To(metav1.Now()) }, nil, "regcred", false},
		{"its entries, where it is deselected", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "nobody" }, nil, "regcred", true},
		{"nothing while it is suspended, though it is deselected", func(c *v1alpha1.RegistryCredential) {
			c.Spec.Suspend, c.Spec.Target.NamespaceSelector.MatchLabels["team"] = true, "nobody"
		}, nil, "regcred", false},
		{"nothing, where its selector cannot be read", func(c *v1alpha1.RegistryCredential) {
			c.Spec.Target.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}
		}, nil, "regcred", false},
		{"its entries, under the name of before", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "new" }, nil, "regcred", true},
		{"a registry that it lists no more", func(c *v1alpha1.RegistryCredential) {}, nil, "gone", true},
		{"none that another one lists for the same Secret", func(*v1alpha1.RegistryCredential) {}, other(func(*v1alpha1.RegistryCredential) {}), "gone", false},
		{"one that another one lists for another Secret", func(*v1alpha1.RegistryCredential) {}, other(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "new" }), "gone", true},
		{"one that another one lists in other namespaces", func(*v1alpha1.RegistryCredential) {}, other(func(c *v1alpha1.RegistryCredential) {
			c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "nobody"
		}), "gone", true},
		{"one that another one lists that is being deleted", func(*v1alpha1.RegistryCredential) {}, other(func(c *v1alpha1.RegistryCredential) {
			c.DeletionTimestamp, c.Finalizers = ptr.To(metav1.Now()), []string{"theirs.example/x"}
		}), "gone", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			company := credential("company", "r.example")
			all := []*v1alpha1.RegistryCredential{company}
			if test.beside != nil {
				all = append(all, test.beside)
			}
			g := newRig(t, 1, all...)
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			test.change(company)
			one := held{keys: []string{"r.example"}, known: []string{"r.example"}}
			if test.secret == "gone" {
				one = held{keys: []string{"r.example", "gone.example"}, known: []string{"gone.example", "r.example"}}
			}
			var namespace corev1.Namespace
			if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
				t.Fatal(err)
			}
			if got, _, err := g.r.loses(t.Context(), company, g.r.Store.Get("company"), &namespace, "regcred", one); got != test.want || err != nil {
				t.Errorf("%t, %v", got, err)
			}
		})
	}
}

// given are the names that the operator was given: no ServiceAccount.
type given struct{ everyName }

func (given) Get(context.Context, client.ObjectKey, client.Object) error { return named.ErrNotAllowed }
func (given) Names() []string                                            { return []string{"default"} }

func TestAServiceAccountThatTheOperatorWasNotGivenIsNamed(t *testing.T) {
	g, writes := delivers(t, func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ServiceAccounts = &[]string{"builder"} })
	g.r.ServiceAccounts = given{everyName{g.c}}
	writes.requests = nil
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	d, _ := g.r.Board.At(first, "company")
	if d.Reason != v1alpha1.ReasonServiceAccountNotAllowed || !d.ServiceAccounts || !strings.Contains(d.Message, "builder") || !strings.Contains(d.Message, "serviceAccountNames") {
		t.Errorf("%+v", d)
	}
	if len(writes.requests) > 0 {
		t.Errorf("written is %q", writes.lines())
	}
}

func TestASecretThatCannotBeMadeIsGivenToNobodyAndTold(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	writes := recording(g)
	writes.refuse = func(r request) error {
		if r.verb == "apply" {
			return refusal("secrets")
		}
		return nil
	}
	_, _ = g.reconcile("n-00000")
	if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonForbidden || d.Revision != "" {
		t.Errorf("%+v", d)
	}
	if lines := writes.lines(); !slices.Equal(lines, []string{"apply Secret regcred"}) || g.r.ledger.holding("company") != 0 {
		t.Errorf("written is %q", lines)
	}
}

func TestASecretThatSomebodyHoldsWhileItIsDeletedIsNamed(t *testing.T) {
	g, writes := delivers(t, nil)
	secret := g.secret("n-00000")
	secret.Finalizers = []string{"theirs.example/keep"}
	if err := g.c.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if err := g.c.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonWriteRefused || !strings.Contains(d.Message, "theirs.example/keep") {
		t.Errorf("%+v", d)
	}
	if len(writes.requests) > 0 {
		t.Errorf("written is %q", writes.lines())
	}
}

// The namespace's people write the entries of their Secret, and what is wrong with them is shown to others.
func TestWhatIsSaidOfAnUnusableEntryIsCleaned(t *testing.T) {
	found := findingOf("company", []dockerconfig.Finding{{Key: "a\nb", Message: "the entry\x1b[31m " + strings.Repeat("x", 5000)}}, nil)
	if strings.ContainsAny(found.Key+found.Message, "\n\x1b") || len(found.Message) > 2000 {
		t.Errorf("%d letters: %.100q of %q", len(found.Message), found.Message, found.Key)
	}
	found = findingOf("company", []dockerconfig.Finding{{Key: "https://robot:" + strings.Repeat("s3cr3t", 100) + "@quay.io/v2"}}, nil)
	if found.Key != "https://[redacted]@quay.io/v2" || strings.Contains(found.String(), "s3cr3t") {
		t.Errorf("of a key with a long password it says %s", found)
	}
	mine := dockerconfig.Finding{Key: "mine.example"}
	theirs := dockerconfig.Finding{Key: "theirs.example"}
	known := map[string][]string{"theirs.example": {"other"}, "mine.example": {"company"}}
	if found := findingOf("company", []dockerconfig.Finding{theirs, mine}, known); found.Key != "mine.example" {
		t.Errorf("told is %q", found.Key)
	}
}

func TestKeysInBothAndInEither(t *testing.T) {
	for _, test := range []struct{ a, b, both, either []string }{
		{[]string{"a", "b"}, []string{"b", "c"}, []string{"b"}, []string{"a", "b", "c"}},
		{[]string{"a", "b"}, []string{"b", "a"}, []string{"a", "b"}, []string{"a", "b"}},
		{[]string{"c"}, []string{"a"}, nil, []string{"a", "c"}},
		{nil, []string{"b", "a"}, nil, []string{"a", "b"}},
		{[]string{"a"}, nil, nil, []string{"a"}},
		{[]string{"a"}, []string{"a"}, []string{"a"}, []string{"a"}},
	} {
		if both := intersection(test.a, test.b); !slices.Equal(both, test.both) {
			t.Errorf("%q and %q have %q in common", test.a, test.b, both)
		}
		if either := union(test.a, test.b); !slices.Equal(either, test.either) {
			t.Errorf("%q and %q are %q", test.a, test.b, either)
		}
	}
	shared := []string{"a", "b"} // by thousands of places
	if all := intersection(shared, []string{"a", "b", "c"}); &all[0] != &shared[0] {
		t.Error("what is all of it is a copy")
	}
	if all := union(nil, shared); &all[0] != &shared[0] {
		t.Error("what is added to nothing is a copy")
	}
}

func TestWhatASecretRecordsIsNotedAsItChanges(t *testing.T) {
	w := watching(t)
	secret := w.secret("n-00000")
	changed := secret.DeepCopy()
	sources := pullsecret.SourcesOf(secret.Annotations)
	source := sources["company"]
	source.Keys = append(slices.Clone(source.Keys), "theirs.example")
	changed.Annotations[v1alpha1.SourcesAnnotation] = pullsecret.Sources{"company": source}.String()
	changed.ResourceVersion = fmt.Sprint(10_000)
	before := len(w.r.ledger.of("company")[first].keys)
	w.r.ledger.note(changed)
	if after := len(w.r.ledger.of("company")[first].keys); after != before+1 {
		t.Errorf("of %d keys %d are recorded", before+1, after)
	}
	if known := w.r.ledger.at(first, "company").known; slices.Contains(known, "theirs.example") {
		t.Errorf("what its people wrote is known to be delivered: %q", known)
	}
}

// A deletion must not go on where it is not known what a removal would take.
func TestWhatWaitsForAPersonIsNotForgottenWhereNothingCanBeRead(t *testing.T) {
	g, _ := delivers(t, nil)
	object := credential("company", "r.example")
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	k.state.Pending = &removal.Pending{ID: "abc", Parts: wholeIn("n-00000"), Namespaces: 1}
	if got := g.removal(); !got.Held || got.ID != "abc" || got.Losing != 1 {
		t.Fatalf("%+v", got)
	}
	g.now = g.now.Add(settleAtMost)
	g.unreadable("Namespace")
	if got, err := g.r.Removal(t.Context(), object); err == nil || got != (delivered.Removal{}) {
		t.Errorf("%+v, %v", got, err)
	}
	object.DeletionTimestamp = ptr.To(metav1.NewTime(g.now))
	if got, err := g.r.Removal(t.Context(), object); err == nil {
		t.Errorf("of one that is being deleted, whose finalizer would go: %+v", got)
	}
}

func TestOfANamespaceThatIsBeingDeletedItIsToldAndNothingIsWritten(t *testing.T) {
	g, writes := delivers(t, nil)
	var namespace corev1.Namespace
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
		t.Fatal(err)
	}
	namespace.Finalizers = []string{"theirs.example/keep"}
	if err := g.c.Update(t.Context(), &namespace); err != nil {
		t.Fatal(err)
	}
	if err := g.c.Delete(t.Context(), &namespace); err != nil {
		t.Fatal(err)
	}
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	if _, err := g.reconcile("n-00000"); err != nil {
		t.Fatal(err)
	}
	if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonNamespaceTerminating || d.Selected || len(writes.requests) > 0 {
		t.Errorf("%+v; written is %q", d, writes.lines())
	}
	g.unreadable("RegistryCredentialList")
	if _, err := g.reconcile("n-00000"); err == nil {
		t.Error("whom it is to be told cannot be read, and that is not told")
	}
}
