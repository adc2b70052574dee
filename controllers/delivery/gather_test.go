package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
)

// namespace is the first one, as it is.
func (g *rig) namespace() *corev1.Namespace {
	g.t.Helper()
	var namespace corev1.Namespace
	if err := g.c.Get(context.Background(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
		g.t.Fatal(err)
	}
	return &namespace
}

// role says what a RegistryCredential is to a place.
func (f facts) role(name string) string {
	var roles []string
	for _, one := range []struct {
		name string
		of   []*v1alpha1.RegistryCredential
	}{{"selects it", f.selecting}, {"stays", f.staying}, {"leaves", f.leaves}} {
		if slices.ContainsFunc(one.of, func(c *v1alpha1.RegistryCredential) bool { return c.Name == name }) {
			roles = append(roles, one.name)
		}
	}
	if slices.ContainsFunc(f.losses, func(l loss) bool { return l.credential.Name == name && l.cause != renamed && l.cause != unlisted }) {
		roles = append(roles, "is lost")
	}
	return strings.Join(roles, ", ")
}

func TestWhatARegistryCredentialIsToAPlace(t *testing.T) {
	elsewhere := func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "nobody" }
	renamed := func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "new" }
	suspended := func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = true }
	all := func(changes ...func(*v1alpha1.RegistryCredential)) func(*v1alpha1.RegistryCredential) {
		return func(c *v1alpha1.RegistryCredential) {
			for _, change := range changes {
				change(c)
			}
		}
	}
	for _, test := range []struct {
		name     string
		change   func(*v1alpha1.RegistryCredential)
		recorded bool
		known    bool
		arrived  bool // what it delivers now is in the Secret of another name
		at, then string
	}{
		{"it selects it", all(), false, false, false, "selects it", "selects it"},
		{"it selects it under another name", renamed, false, false, false, "", ""},
		{"it selects others", elsewhere, false, false, false, "", ""},
		{"it selects others, and is suspended", all(elsewhere, suspended), false, false, false, "", ""},
		{"it is being deleted, and nothing is there", going(v1alpha1.DeletionDelete), false, false, false, "", ""},
		{"it is being deleted and retained, and nothing is there", going(v1alpha1.DeletionRetain), false, false, false, "", ""},
		{"it selects it, and is recorded", all(), true, true, false, "selects it", "selects it"},
		{"it selects others since", elsewhere, true, true, false, "stays", "leaves, is lost"},
		{"it selects others since, and is suspended", all(elsewhere, suspended), true, true, false, "stays", "stays"},
		{"it selects others, and the namespace's people recorded it", elsewhere, true, false, false, "leaves", "leaves"},
		{"it selects it under another name since, which is not there yet", renamed, true, true, false, "stays", "stays"},
		{"it selects it under another name since, which is there", renamed, true, true, true, "stays", "leaves"},
		{"it is being deleted", going(v1alpha1.DeletionDelete), true, true, false, "stays", "leaves, is lost"},
		{"it is being deleted and retained", going(v1alpha1.DeletionRetain), true, true, false, "stays", "stays"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := credential("company", "r.example")
			test.change(object)
			g := newRig(t, 1, object)
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			g.alsoThere("nobody")
			secret := &corev1.Secret{}
			if test.recorded {
				secret = g.there("regcred", true)
			}
			if test.known {
				g.r.ledger.begin(secret)
			}
			if test.arrived {
				g.there("new", true)
			}
			for _, want := range []string{test.at, test.then} {
				f := facts{place: first, values: g.r.Store.Snapshot(), namespace: g.namespace(), memory: &memory{}}
				f.found(secret)
				if err := g.r.consider(t.Context(), &f, object, []v1alpha1.RegistryCredential{*object}); err != nil {
					t.Fatal(err)
				}
				if got := f.role("company"); got != want || len(f.contributions) != len(f.selecting)+len(f.staying) {
					t.Errorf("it %q, want %q; %d contribute", got, want, len(f.contributions))
				}
				g.now = g.now.Add(settle)
			}
		})
	}
}

// With nothing to lose nothing is decided, and nobody looks again.
func TestWhereAllIsRightNobodyLooksAgain(t *testing.T) {
	g, seen := delivers(t, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	for range 2 {
		if after, err := g.reconcile("n-00000"); err != nil || after != 0 {
			t.Errorf("again after %s: %v", after, err)
		}
	}
	if k := g.r.keepers.m["company"]; len(seen.requests) != 1 || k != nil && len(k.losing) > 0 {
		t.Errorf("written is %q, losing %v", seen.lines(), k.losing)
	}
}

func TestNothingIsDeliveredBeforeWhatIsPublishedCouldBeRead(t *testing.T) {
	g, seen := delivers(t, nil)
	before, _ := g.r.Board.At(first, "company")
	g.r.Store, g.storeFails = g.store(), errAway // as at the start
	if _, err := g.reconcile("n-00000"); !errors.Is(err, errAway) || len(seen.requests) > 0 {
		t.Errorf("%v; written is %q", err, seen.lines())
	}
	if after, _ := g.r.Board.At(first, "company"); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

// What is published for a generation that the cache shows needs no other read.
func TestWhatTheCacheShowsIsNotReadOnceMore(t *testing.T) {
	changed := credential("changed", "c.example")
	changed.Generation = 7 // and its value is of the spec before, as long as none is published for this one
	g := newRig(t, 1, credential("company", "r.example"), changed)
	for _, published := range []records.Record{record(t, "company", "1-x", "one", "r.example"), record(t, "changed", "1-x", "one", "c.example")} {
		published.Generation = 1
		g.publish(published)
	}
	reads := 0
	g.r.Writer = countingReads(g.c, &reads)
	if all, err := g.r.credentials(t.Context(), g.r.Store.Snapshot()); err != nil || len(all) != 2 || reads != 0 {
		t.Errorf("%d are known after %d reads: %v", len(all), reads, err)
	}
}

func TestWhomTheAdmissionPolicyMustServeBeforeAServiceAccountLosesTheSecret(t *testing.T) {
	byPods := func(c *v1alpha1.RegistryCredential) { c.Spec.Target.Attach = v1alpha1.AttachPods }
	for _, test := range []struct {
		name   string
		stands bool
		want   bool
	}{{"one that stays is not served", false, false}, {"one that stays is served", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			stays, selects := credential("stays", "r.example"), credential("selects", "s.example")
			byPods(stays)
			byPods(selects)
			stays.Spec.Suspend, stays.Spec.Target.NamespaceSelector.MatchLabels["team"] = true, "nobody"
			g := newRig(t, 1, stays, selects)
			g.publish(record(t, "selects", "1-x", "one", "s.example"))
			secret := g.there("regcred", true)
			secret.Annotations[v1alpha1.SourcesAnnotation] = pullsecret.Sources{"stays": {Keys: []string{"r.example"}}}.String()
			if err := g.c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			g.r.Injection = func(c *v1alpha1.RegistryCredential) injection.State {
				return injection.State{Known: c.Name == "selects" || test.stands}
			}
			f, err := g.r.gather(t.Context(), first)
			if err != nil || f.role("stays") != "stays" || f.role("selects") != "selects it" || f.injected != test.want {
				t.Errorf("injected %t, want %t: %v", f.injected, test.want, err)
			}
		})
	}
}
