package delivery

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/pullsecret"
)

func TestNothingIsRememberedOfPlacesThatNobodyWantsAndOfNamespacesThatAreGone(t *testing.T) {
	company := credential("company", "r.example")
	g := newRig(t, 3, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(3)
	if len(g.r.memories.m) != 3 {
		t.Fatalf("%d namespaces are remembered, 3 are served", len(g.r.memories.m))
	}
	if _, err := g.r.Reconcile(t.Context(), delivered.Place{Namespace: "n-00000", Name: "other-name"}); err != nil {
		t.Fatal(err)
	}
	if m := &g.r.memories; len(m.m) != 3 || len(m.names) != 1 || m.names["regcred"] != 3 || m.m[delivered.Place{Namespace: "n-00000", Name: "regcred"}] == nil {
		t.Errorf("a name that nobody wants is remembered: %v", m.names)
	}
	if err := g.c.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n-00000"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.reconcile("n-00000"); err != nil || len(g.r.memories.m) != 2 {
		t.Errorf("%d namespaces are remembered, one of 3 is gone: %v", len(g.r.memories.m), err)
	}
}

func TestADeletedCredentialIsRememberedForTwentyMinutes(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var d departed
	d.leaves("company", at)
	if !d.includes("company", at.Add(departedFor)) {
		t.Error("it is forgotten while a write that was under way may still land")
	}
	if d.includes("company", at.Add(departedFor+time.Second)) {
		t.Error("what bears its name is taken for its leavings for ever")
	}
	if d.leaves("other", at.Add(departedFor+time.Second)); len(d.names) != 1 {
		t.Errorf("the names of what was deleted only grow: %v", d.names)
	}
}

// refusing is a Secret of ours that its namespace's people made impossible to change.
func refusing(t *testing.T, g *rig) {
	t.Helper()
	secret := g.secret("n-00000")
	secret.Immutable, secret.Data["ca.crt"] = ptr.To(true), []byte("theirs")
	if err := g.c.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

func TestANamespaceThatRefusesHoldsADeletionForTenMinutesOnly(t *testing.T) {
	company := credential("company", "r.example")
	company.Spec.DeletionPolicy, company.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	g := newRig(t, 1, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	refusing(t, g)
	if err := g.c.Delete(t.Context(), company); err != nil {
		t.Fatal(err)
	}
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the removal is decided once nothing more is found to be lost
		if _, err := g.reconcile("n-00000"); err != nil {
			t.Fatal(err)
		}
		g.now = g.now.Add(settle)
	}
	for _, c := range []struct {
		after time.Duration
		holds int
	}{{time.Minute, 1}, {refusedFor - time.Second, 1}, {refusedFor, 0}, {time.Hour, 0}} {
		g.now = object.DeletionTimestamp.Add(c.after)
		got, err := g.r.Removal(t.Context(), &object)
		if err != nil || got.Holding != c.holds {
			t.Errorf("%s after the deletion it waits for %d namespaces, want %d: %v", c.after, got.Holding, c.holds, err)
		}
	}
}

// slowly is a client whose writes of Secrets take a while.
func slowly(c client.Client, now *time.Time, takes time.Duration) client.Client {
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			*now = now.Add(takes)
			return c.Update(ctx, object, options...)
		},
	})
}

func TestAChangeIsDatedByTheEndOfASlowWrite(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	g.now = g.now.Add(time.Hour)
	began := g.now
	g.r.Writer = slowly(g.c, &g.now, 5*time.Second)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	changed := pullsecret.SourcesOf(g.secret("n-00000").Annotations)["company"].Changed
	if changed.Time.Before(began.Add(5 * time.Second)) {
		t.Errorf("the write ended 5 s after it began, and the change is dated %s after: a pod that was created between had the old value", changed.Sub(began))
	}
}

func TestWhatTheGateRefusesIsToldWithTheNextStep(t *testing.T) {
	p := failedWrite("Secret regcred", &url.Error{Op: "Patch", URL: "https://api/?token=x", Err: policycheck.ErrNotFenced})
	if p.reason != v1alpha1.ReasonWriteFailed || !p.retry || len(p.message) > 300 {
		t.Errorf("%+v (%d letters)", p, len(p.message))
	}
	for _, words := range []string{"Secret regcred", "have no effect", "kubectl describe vaultconnections", "apply config/default"} {
		if !strings.Contains(p.message, words) {
			t.Errorf("it does not say %q: %s", words, p.message)
		}
	}
	if strings.Contains(p.message, "token=x") {
		t.Error("it quotes the request")
	}
}
