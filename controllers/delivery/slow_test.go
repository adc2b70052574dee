package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// slow has the first write of each look take a while. After it, before anything else is sent, something happens.
func (g *rig) slow(takes time.Duration, meanwhile func()) {
	last := time.Time{}
	under := g.r.Writer.(client.WithWatch)
	wait := func(err error) error {
		if g.now.Equal(last) {
			return err
		}
		g.now = g.now.Add(takes)
		last = g.now
		if meanwhile != nil {
			meanwhile()
		}
		return err
	}
	g.r.Writer = interceptor.NewClient(under, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return wait(c.Update(ctx, object, options...))
		},
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			return wait(c.Apply(ctx, object, options...))
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return wait(c.Delete(ctx, object, options...))
		},
	})
}

// A pod that was created while a write was under way did not have the new value: the change is dated by the end of the write, where that is in
// a later second.
func TestHowAChangeIsDatedWhoseWriteWasSlow(t *testing.T) {
	update := []string{"update Secret regcred"}
	rotate := func(g *rig) { g.publish(record(g.t, "company", "2-x", "two", "r.example")) }
	for _, test := range []struct {
		name  string
		takes time.Duration
		do    func(g *rig)
		want  []string
		dated time.Duration // after the write began
	}{
		{"just below a second", slowWrite - 1, rotate, update, 0},
		{"a second", slowWrite, rotate, slices.Concat(update, update), slowWrite},
		{"a minute", time.Minute, rotate, slices.Concat(update, update), time.Minute},
		{"a minute, and no entry changed", time.Minute, func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Spec.Target.SecretLabels = map[string]v1alpha1.LabelValue{"team": "shop"}
			})
		}, update, -time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, seen := delivers(t, nil)
			other := credential("other", "o.example")
			if err := g.c.Create(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			g.publish(record(t, "other", "1-o", "theirs", "o.example"))
			g.all(1)
			theirs := pullsecret.SourcesOf(g.secret("n-00000").Annotations)["other"].Changed
			seen.requests = nil
			g.now = g.now.Add(time.Hour)
			began := g.now
			g.slow(test.takes, nil)
			test.do(g)
			g.all(1)
			if got := g.source("n-00000").Changed; !slices.Equal(seen.lines(), test.want) || !got.Time.Equal(began.Add(test.dated)) {
				t.Errorf("%q, want %q; it is dated %s after the write began", seen.lines(), test.want, got.Sub(began))
			}
			if got := pullsecret.SourcesOf(g.secret("n-00000").Annotations)["other"].Changed; !got.Equal(&theirs) {
				t.Errorf("what did not change of another one is dated %s, and was %s", got, theirs)
			}
			if d, _ := g.r.Board.At(first, "company"); d.Revision != g.source("n-00000").Revision || d.Reason != "" {
				t.Errorf("it is told as %+v", d)
			}
			g.all(1)
			if !slices.Equal(seen.lines(), test.want) {
				t.Errorf("and once more %q", seen.lines())
			}
		})
	}
}

// So is one whose write was not answered for long, as soon as that is seen. One that failed at once is dated by its begin.
func TestHowAChangeIsDatedWhoseWriteWasNotAnswered(t *testing.T) {
	for _, test := range []struct {
		name    string
		takes   time.Duration
		writes  int
		dated   time.Duration // after the write began
		refused int           // how many writes after it are refused at once
		suspend bool
	}{
		{"for a minute", time.Minute, 2, 2 * time.Minute, 0, false},
		{"for a minute, and the next ones are refused at once", time.Minute, 4, 2 * time.Minute, 2, false},
		{"for a moment", slowWrite - 1, 1, 0, 0, false},
		{"for a minute, and nothing may be written after it", time.Minute, 1, 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, seen := delivers(t, nil)
			g.now = g.now.Add(time.Hour)
			began, answering := g.now, g.r.Writer
			g.r.Writer = interceptor.NewClient(answering.(client.WithWatch), interceptor.Funcs{
				Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
					err := c.Update(ctx, object, options...)
					g.now = g.now.Add(test.takes)
					return errors.Join(err, errAway)
				},
			})
			g.publish(record(t, "company", "2-x", "two", "r.example"))
			if _, err := g.reconcile("n-00000"); err == nil {
				t.Fatal("it is answered")
			}
			g.r.Writer = answering
			seen.refuse = func(request) error { return errAway }
			for range test.refused {
				if _, err := g.reconcile("n-00000"); err == nil {
					t.Fatal("it is not refused")
				}
			}
			seen.refuse = func(request) error { return nil }
			if test.suspend {
				g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = true })
			}
			for range 2 {
				g.now = began.Add(2 * time.Minute)
				g.all(1)
			}
			if got := g.source("n-00000"); len(seen.lines()) != test.writes || got.Revision != "2-x" || !got.Changed.Time.Equal(began.Add(test.dated)) {
				t.Errorf("%q; it is dated %s after the write began", seen.lines(), got.Changed.Sub(began))
			}
			if left := g.r.memories.of(first, g.namespace().UID).unsure; !test.suspend && len(left) > 0 {
				t.Errorf("each write that follows dates anew: %q", left)
			}
		})
	}
}

// Times are whole seconds: the time of a change that follows another one within a second does not tell that there is one.
func TestAChangeWithinASecondOfTheLastOneIsDatedByTheEndOfItsWriteToo(t *testing.T) {
	g, _ := delivers(t, nil)
	began := g.now
	g.slow(time.Minute, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	if got := g.source("n-00000").Changed; !got.Time.Equal(began.Add(time.Minute)) {
		t.Errorf("it is dated %s after the write began", got.Sub(began))
	}
}

// The answer to an update is what is there: nobody reads it once more.
func TestASlowUpdateIsNotReadOnceMore(t *testing.T) {
	g, _ := delivers(t, nil)
	reads := 0
	g.r.Writer = countingReads(g.r.Writer, &reads)
	g.slow(time.Minute, nil)
	g.now = g.now.Add(time.Hour)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	if g.all(1); reads != 0 {
		t.Errorf("%d reads", reads)
	}
}

func TestWhatHappensWhileASlowWriteIsDated(t *testing.T) {
	wreck := func(g *rig) {
		secret := g.secret("n-00000")
		secret.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`)
		if err := g.c.Update(context.Background(), secret); err != nil {
			g.t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		does  func(g *rig, refuse func(verb string, err error))
		lines []string
		fails bool
		wreck bool // what somebody else wrote is still there
	}{
		{"nothing", func(*rig, func(string, error)) {}, []string{"apply Secret regcred", "update Secret regcred"}, false, false},
		{"somebody changes it", func(g *rig, _ func(string, error)) { wreck(g) }, []string{"apply Secret regcred"}, false, true},
		{"somebody deletes it", func(g *rig, _ func(string, error)) {
			if err := g.c.Delete(context.Background(), g.secret("n-00000")); err != nil {
				g.t.Fatal(err)
			}
		}, []string{"apply Secret regcred"}, false, false},
		{"it cannot be read", func(_ *rig, refuse func(string, error)) { refuse("get", errAway) }, []string{"apply Secret regcred"}, true, false},
		{"the date cannot be written", func(_ *rig, refuse func(string, error)) { refuse("update", errAway) }, []string{"apply Secret regcred", "update Secret regcred"}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1, credential("company", "r.example"))
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ServiceAccounts = &[]string{} })
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			seen := recording(g)
			failing := map[string]error{}
			seen.refuse = func(made request) error { return failing[made.verb] }
			under := g.r.Writer.(client.WithWatch)
			g.r.Writer = interceptor.NewClient(under, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
					if err := failing["get"]; err != nil {
						return err
					}
					return c.Get(ctx, key, into, options...)
				},
			})
			g.slow(time.Minute, func() { test.does(g, func(verb string, err error) { failing[verb] = err }) })
			_, err := g.reconcile("n-00000")
			if (err != nil) != test.fails || !slices.Equal(seen.lines(), test.lines) || test.wreck != (g.having(1, `{"auths":{}}`) == 1) {
				t.Errorf("%q, want %q: %v", seen.lines(), test.lines, err)
			}
			d, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company")
			if (d.Reason == v1alpha1.ReasonWriteFailed) != test.fails || (d.Revision == "1-x") == test.fails {
				t.Errorf("it is told as %+v", d)
			}
		})
	}
}

func TestASlowWriteThatFailsOrRemovesIsDatedByNobody(t *testing.T) {
	g, seen := delivers(t, nil)
	g.slow(time.Minute, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	seen.refuse = func(request) error { return errAway }
	if _, err := g.reconcile("n-00000"); err == nil || len(seen.requests) != 1 {
		t.Errorf("%q: %v", seen.lines(), err)
	}
	seen.refuse, seen.requests = func(request) error { return nil }, nil
	g.deselect()
	g.leave()
	if got := seen.lines(); got[len(got)-1] != "delete Secret regcred" || g.secret("n-00000") != nil {
		t.Errorf("%q", got)
	}
}

// A value that is published again under a new revision is no rival's work, also where each write is slow.
func TestSlowWritesOfOneValueAreNoContest(t *testing.T) {
	g, _ := delivers(t, nil)
	g.slow(2*time.Second, nil)
	for i := range 3 * pullsecret.ContestReverts {
		g.now = g.now.Add(time.Second)
		for _, revision := range []string{"a", "b"} {
			g.publish(record(t, "company", fmt.Sprintf("%d-%s", i+2, revision), fmt.Sprint("value ", i), "r.example"))
			g.all(1)
		}
		if d, _ := g.r.Board.At(first, "company"); d.Reason != "" {
			t.Fatalf("write %d: %+v", i, d)
		}
	}
}

// What was dated is known: a cache that shows the first of both writes is behind.
func TestACacheThatShowsTheWriteBeforeItWasDatedIsBehind(t *testing.T) {
	g, seen := delivers(t, nil)
	var between *corev1.Secret
	g.now = g.now.Add(time.Hour)
	g.slow(time.Minute, func() { between = g.secret("n-00000") })
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	seen.requests = nil
	g.r.Secrets = lagging{everyName{g.c}, between}
	reads := 0
	g.r.Writer = countingReads(g.r.Writer, &reads)
	if text := pullsecret.SourcesOf(between.Annotations)["company"]; !text.Changed.Time.Equal(g.now.Add(-time.Minute)) {
		t.Errorf("what the first write recorded is read as %s", text.Changed) // what was read of one annotation is shared
	}
	if g.all(1); reads != 1 || len(seen.requests) > 0 {
		t.Errorf("%d reads past the cache, written is %q", reads, seen.lines())
	}
}
