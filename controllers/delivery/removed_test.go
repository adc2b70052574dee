package delivery

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// People are told of what is gone, and not of what is still recorded.
func TestWhatIsStillRecordedCountsAsRemovedFromNobody(t *testing.T) {
	g := newRig(t, 0)
	f := facts{losses: []loss{{credential: credential("company")}, {credential: credential("other")}}}
	g.r.tellOfLosses(t.Context(), f, version("a", "5", "r.example"))
	if company, other := g.r.Board.TakeRemoved("company"), g.r.Board.TakeRemoved("other"); company != 0 || other != 1 {
		t.Errorf("company is told of %d, the other one of %d", company, other)
	}
	if g.r.tellOfLosses(t.Context(), f, nil); g.r.Board.TakeRemoved("company") != 1 {
		t.Error("of a Secret that is gone it is not told")
	}
}

func TestWhereASelectorCannotBeReadEverythingStays(t *testing.T) {
	g, seen := delivers(t, nil)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}
	})
	g.leave()
	if len(seen.requests) > 0 || g.having(1, `"r.example"`) != 1 {
		t.Errorf("%q", seen.lines())
	}
	if got, err := g.r.Removal(t.Context(), g.company()); err != nil || got.Losing != 0 || got.Held {
		t.Errorf("%+v, %v", got, err)
	}
}

// A registry that is listed no more goes after a while where it goes from few namespaces, and the others stay.
func TestARegistryThatIsListedNoMoreGoesWhereItGoesFromFew(t *testing.T) {
	g, seen := delivers(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.Registries = []v1alpha1.Registry{"r.example", "s.example"}
	})
	g.publish(record(t, "company", "2-x", "one", "r.example", "s.example"))
	g.all(1)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = []v1alpha1.Registry{"r.example"} })
	g.publish(record(t, "company", "3-x", "one", "r.example"))
	after, err := g.reconcile("n-00000")
	if err != nil || after != settle || g.having(1, `"s.example"`) != 1 {
		t.Errorf("again after %s: %v; %q", after, err, seen.lines())
	}
	g.leave()
	if g.having(1, `"s.example"`) != 0 || g.having(1, `"r.example"`) != 1 {
		t.Errorf("%s", g.secret("n-00000").Data)
	}
	if told := g.r.Board.TakeRemoved("company"); told != 0 {
		t.Errorf("of %d namespaces it is told that they lost it", told)
	}
}

// That a namespace is selected again is told when there is something to give it.
func TestWhenANamespaceThatIsSelectedAgainIsToldSo(t *testing.T) {
	pods := func(c *v1alpha1.RegistryCredential) { c.Spec.Target.Attach = v1alpha1.AttachPods }
	for _, test := range []struct {
		name      string
		change    func(*v1alpha1.RegistryCredential)
		away      bool
		disabled  bool
		published bool
		want      bool
	}{
		{"it was away", pods, true, false, true, true},
		{"it was not away", pods, false, false, true, false},
		{"it was away, and nothing is published", pods, true, false, false, false},
		{"it was away, and opted out", pods, true, true, true, false},
		{"it was away, and ServiceAccounts name the Secret", func(*v1alpha1.RegistryCredential) {}, true, false, true, false},
	} {
		g := newRig(t, 1)
		object, f := credential("company", "r.example"), facts{namespace: g.namespace(), memory: &memory{}}
		test.change(object)
		if test.away {
			f.memory.goes("company")
		}
		if test.disabled {
			f.namespace.Annotations = map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled}
		}
		if got := f.returns(object, test.published); got != test.want || f.memory.away["company"] != test.away {
			t.Errorf("%s: %t; it is away %t", test.name, got, f.memory.away["company"])
		}
	}
}

func TestASecretThatMayNotBeDeletedIsTold(t *testing.T) {
	g, seen := delivers(t, nil)
	seen.refuse = func(made request) error {
		if made.verb == "delete" {
			return refusal("secrets")
		}
		return nil
	}
	g.deselect()
	g.all(1)
	g.now = g.now.Add(settle)
	if _, err := g.reconcile("n-00000"); err == nil || !slices.Contains(seen.lines(), "delete Secret regcred") {
		t.Errorf("%q: %v", seen.lines(), err)
	}
	if d, _ := g.r.Board.At(first, "company"); d.Reason == "" || g.r.Board.TakeRemoved("company") != 0 {
		t.Errorf("%+v", d)
	}
}
