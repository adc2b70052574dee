package delivery

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// label puts all namespaces into the selection, or takes them out.
func (g *rig) label(team string) {
	g.t.Helper()
	var all corev1.NamespaceList
	if err := g.c.List(g.t.Context(), &all); err != nil {
		g.t.Fatal(err)
	}
	for i := range all.Items {
		all.Items[i].Labels["team"] = team
		if err := g.c.Update(g.t.Context(), &all.Items[i]); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *rig) source(namespace string) pullsecret.Source {
	return pullsecret.SourcesOf(g.secret(namespace).Annotations)["company"]
}

// attaching is a rig of so many namespaces whose pods get a Secret in one way, and that have a value.
func attaching(t *testing.T, attach v1alpha1.AttachMode, namespaces int) *rig {
	t.Helper()
	company := credential("company", "r.example")
	company.Spec.Target.Attach = attach
	g := newRig(t, namespaces, company)
	g.publish(record(t, "company", "1-x", "old", "r.example"))
	g.all(namespaces)
	return g
}

// away is such a rig of ten whose labels are wrong for the time being.
func away(t *testing.T) *rig {
	t.Helper()
	g := attaching(t, v1alpha1.AttachPods, 10)
	g.label("none")
	g.all(10)
	return g
}

// While the labels of its namespace are wrong a pod is created without the name, though its Secret stays until a person confirms its removal.
// When they are right again its successor has the name, and only the record tells that the pod did not miss it for ever.
func TestSinceWhenPodsGetASecretBeginsAgainWhenTheirNamespaceIsSelectedAgain(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct {
		name   string
		attach v1alpha1.AttachMode
		// meanwhile happens while no namespace is selected, and after that when they are.
		meanwhile func(*rig)
		returns   bool
		since     time.Duration
		writes    int
	}{
		{name: "a removal waits, and is taken back", attach: v1alpha1.AttachPods, returns: true, since: 2 * hour, writes: 10},
		{name: "a rotation meanwhile", attach: v1alpha1.AttachPods, returns: true, since: 2 * hour, writes: 20, meanwhile: func(g *rig) {
			g.publish(record(t, "company", "2-x", "new", "r.example"))
			g.all(10)
		}},
		{name: "the operator starts again meanwhile", attach: v1alpha1.AttachPods, returns: true, since: 2 * hour, writes: 10, meanwhile: func(g *rig) {
			writer := g.r.Writer
			g.restart()
			g.r.Writer = writer
			g.all(10)
		}},
		{name: "they stay away", attach: v1alpha1.AttachPods},
		{name: "ServiceAccounts name the Secret all the time", attach: v1alpha1.AttachServiceAccounts, returns: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := attaching(t, test.attach, 10)
			start, seen := g.now, recording(g)
			g.now = g.now.Add(hour)
			g.label("none")
			for range 2 {
				g.all(10)
				g.now = g.now.Add(time.Minute)
			}
			if test.meanwhile != nil {
				test.meanwhile(g)
			}
			if g.now = start.Add(2 * hour); test.returns {
				g.label("shop")
			}
			for range 3 {
				g.all(10)
			}
			if got := g.source("n-00003"); got.Since.Sub(start) != test.since {
				t.Errorf("it says since %s, want %s after the start", got.Since, test.since)
			}
			if len(seen.requests) != test.writes {
				t.Errorf("%d writes: %q", len(seen.requests), seen.lines())
			}
		})
	}
}

func TestThatANamespaceIsSelectedAgainIsNotForgottenWhereItCannotBeWritten(t *testing.T) {
	g := away(t)
	g.label("shop")
	g.now = g.now.Add(time.Hour)
	refused := false
	recording(g).refuse = func(made request) error {
		if refused {
			return nil
		}
		refused = true
		return errors.New("the API server is away")
	}
	if _, err := g.reconcile("n-00003"); err == nil {
		t.Fatal("no error")
	}
	if _, err := g.reconcile("n-00003"); err != nil {
		t.Fatal(err)
	}
	if got := g.source("n-00003"); !got.Since.Time.Equal(g.now) {
		t.Errorf("it says since %s, want %s", got.Since, g.now)
	}
}

// Of one that is suspended nothing is written, and what is to be told is told after that.
func TestThatANamespaceIsSelectedAgainWhileNothingMayBeWrittenIsToldLater(t *testing.T) {
	g := away(t)
	suspend := func(yes bool) {
		g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = yes })
		g.now = g.now.Add(time.Hour)
		g.all(10)
	}
	seen := recording(g)
	suspend(true)
	g.label("shop")
	g.all(10)
	if len(seen.requests) > 0 {
		t.Errorf("while it is suspended: %q", seen.lines())
	}
	suspend(false)
	if got := g.source("n-00003"); !got.Since.Time.Equal(g.now) {
		t.Errorf("it says since %s, want %s", got.Since, g.now)
	}
}

func TestSinceWhenPodsGetASecretBeginsAgainWhenTheirNamespaceOptsInAgain(t *testing.T) {
	g := attaching(t, v1alpha1.AttachPods, 1)
	start := g.source("n-00000").Since
	for _, step := range []struct {
		name, annotation string
		moves            bool
	}{
		{"nothing happens", "", false},
		{"it opts out", v1alpha1.AttachDisabled, false},
		{"it goes on to", v1alpha1.AttachDisabled, false},
		{"it opts in again", "", true},
		{"another value of the annotation is no opt-out", "Enabled", false},
	} {
		g.now = g.now.Add(time.Hour)
		before := g.source("n-00000").Since
		var namespace corev1.Namespace
		if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
			t.Fatal(err)
		}
		old := namespace.DeepCopy()
		namespace.Annotations = map[string]string{v1alpha1.AttachAnnotation: step.annotation}
		if err := g.c.Update(t.Context(), &namespace); err != nil {
			t.Fatal(err)
		}
		if wakes := onLabels().Update(event.TypedUpdateEvent[*corev1.Namespace]{ObjectOld: old, ObjectNew: &namespace}); wakes != (old.Annotations[v1alpha1.AttachAnnotation] != step.annotation) {
			t.Errorf("%s: the namespace is looked at: %t", step.name, wakes)
		}
		for range 2 {
			g.all(1)
		}
		if got := g.source("n-00000").Since; step.moves != got.Time.Equal(g.now) || !step.moves && !got.Equal(&before) {
			t.Errorf("%s: it says since %s, before %s, from the start on %s", step.name, got, before, start)
		}
	}
}
