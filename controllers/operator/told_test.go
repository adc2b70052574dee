package operator

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/wakeup"
)

// heard are the notifiers that told of something since it was asked last.
type heard []string

func listen(p *Operator) *heard {
	var told heard
	for name, one := range map[string]interface{ Listen(func(string)) }{
		"Changed": &p.Changed, "Proven": &p.Proven, "Delivered": &p.Delivered, "News": &p.News, "Troubled": &p.Troubled,
	} {
		one.Listen(func(credential string) { told = append(told, name+" "+credential) })
	}
	return &told
}

func (h *heard) take() []string {
	told := *h
	*h = nil
	slices.Sort(told)
	return slices.Compact(told)
}

func TestWhoIsToldOfWhat(t *testing.T) {
	p, _ := all(t)
	p.Traces = nil // these were made by hand
	told := listen(p)
	for _, test := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"a place was looked at", func() error {
			p.Board.Post(delivered.Place{Namespace: "shop", Name: "pull"}, map[string]delivered.Delivery{"company": {Selected: true}})
			return nil
		}, []string{"Delivered company", "News company"}},
		{"a value is published", func() error {
			return p.Store.Save(t.Context(), records.Record{Credential: "company", UID: "u"})
		}, []string{"Changed company"}},
		{"a pod is stuck", func() error {
			p.Pods.Note(types.NamespacedName{Namespace: "shop", Name: "web"}, "company")
			return nil
		}, []string{"News company"}},
	} {
		if err := test.do(); err != nil {
			t.Fatal(err)
		}
		for _, path := range p.Manager.(answered).sent.take() {
			if path != "/api/v1/namespaces/regcred-system/secrets" {
				t.Errorf("%s: it is kept at %s", test.what, path)
			}
		}
		if got := told.take(); !slices.Equal(got, test.want) {
			t.Errorf("%s: told is %q, want %q", test.what, got, test.want)
		}
	}
}

// With each write of the index it may be held since another time: all Secrets of all namespaces would be looked at.
func TestWhoIsToldOfWhatTheIndexHolds(t *testing.T) {
	p, _ := all(t)
	if err := p.AddInjection(nil); err != nil {
		t.Fatal(err)
	}
	told := listen(p)
	c := v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company", UID: "u", Generation: 1}}
	c.Spec.Target = v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"shop"}, Attach: v1alpha1.AttachPods}
	content := injection.Build([]v1alpha1.RegistryCredential{c})
	p.book.Written(content, then, false)
	if got, want := told.take(), []string{"Changed company", "News company"}; !slices.Equal(got, want) {
		t.Errorf("it is in the index: told is %q, want %q", got, want)
	}
	p.book.Written(content, then.Add(time.Hour), true)
	if got, want := told.take(), []string{"News company"}; !slices.Equal(got, want) {
		t.Errorf("the index was away for a while: told is %q, want %q", got, want)
	}
}

func TestAllAreLookedAtAgainWhereSomethingMayBeAllowedNow(t *testing.T) {
	p, _ := all(t)
	cluster := p.Manager.(answered).cluster
	for _, name := range []string{"a", "b"} {
		if err := cluster.Create(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	told, policy, index := listen(p), &wakeup.Notifier{}, 0
	policy.Listen(func(string) { index++ })
	for what, do := range map[string]func(){
		"all are woken": p.WakeAll, "the admission policy came or went": func() { p.onPolicy(policy)(injection.State{}) },
	} {
		do()
		if got, want := told.take(), []string{"Changed a", "Changed b", "News a", "News b"}; !slices.Equal(got, want) {
			t.Errorf("%s: told is %q, want %q", what, got, want)
		}
	}
	if index != 1 {
		t.Errorf("the index is looked at %d times", index)
	}
}

func TestBeforeThePolicyIsLookedAtNothingIsKnownOfIt(t *testing.T) {
	p, _ := all(t)
	if got := p.injects(&v1alpha1.RegistryCredential{}); got != (injection.State{}) {
		t.Errorf("%+v", got)
	}
}

// It asks delivery what a removal concerns, and would let a RegistryCredential go whose entries are still there.
func TestNothingIsReadBeforeSomebodyKnowsWhatARemovalConcerns(t *testing.T) {
	p, _ := all(t)
	p.delivering = nil
	if err := p.AddCredential(Reading{}); err == nil {
		t.Error("it is added")
	}
}
