package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
)

// lagging is a cache that goes on showing one object as it was, or that there is none.
type lagging struct {
	everyName
	shows client.Object
}

func (l lagging) Get(_ context.Context, key client.ObjectKey, into client.Object) error {
	switch shown := l.shows.(type) {
	case *corev1.Secret:
		shown.DeepCopyInto(into.(*corev1.Secret))
	case *corev1.ServiceAccount:
		shown.DeepCopyInto(into.(*corev1.ServiceAccount))
	default:
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	return nil
}

// What was written is not written once more because a cache does not show it yet: with the old content in hand it would be refused, or be taken
// for what a rival left.
func TestWhatACacheDoesNotShowYetIsNotWrittenOnceMore(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(g *rig) client.Object
		write  func(g *rig)
		want   []string
	}{
		{"a Secret that was updated", func(g *rig) client.Object { return g.secret("n-00000") },
			func(g *rig) { g.publish(record(t, "company", "2-x", "two", "r.example")); g.all(1) }, []string{"update Secret regcred"}},
		{"a Secret that was removed", func(g *rig) client.Object { return g.secret("n-00000") },
			func(g *rig) {
				g.deselect()
				g.all(1)
				g.now = g.now.Add(settle)
				g.all(1)
			}, []string{"patch ServiceAccount default", "delete Secret regcred"}},
		{"a Secret that was made", func(g *rig) client.Object {
			if err := g.c.Delete(t.Context(), g.secret("n-00000")); err != nil {
				t.Fatal(err)
			}
			return nil
		}, func(g *rig) { g.all(1) }, []string{"apply Secret regcred"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, seen := delivers(t, nil)
			before := test.before(g)
			test.write(g)
			g.r.Secrets = lagging{everyName{g.c}, before}
			if _, err := g.reconcile("n-00000"); err != nil || !slices.Equal(seen.lines(), test.want) {
				t.Errorf("%q, want %q: %v", seen.lines(), test.want, err)
			}
		})
	}
}

// A write that failed may have happened: what is there is read past the cache.
func TestAfterAWriteThatFailedNothingIsBelievedToTheCache(t *testing.T) {
	g, seen := delivers(t, nil)
	before := g.secret("n-00000")
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	writer := g.r.Writer
	g.r.Writer = interceptor.NewClient(writer.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return errors.Join(c.Update(ctx, object, options...), errAway)
		},
	})
	if _, err := g.reconcile("n-00000"); err == nil {
		t.Fatal("no error")
	}
	g.r.Writer, g.r.Secrets = writer, lagging{everyName{g.c}, before}
	if _, err := g.reconcile("n-00000"); err != nil || len(seen.requests) != 1 || g.having(1, `"two"`) != 1 {
		t.Errorf("%q: %v", seen.lines(), err)
	}
}

func TestWhatIsKnownAfterARead(t *testing.T) {
	key := client.ObjectKey{Namespace: "n-00000", Name: "regcred"}
	cached := version("cached", "3")
	for _, test := range []struct {
		name  string
		known trace
		from  func(g *rig) reader
		there bool
		want  string // version that is read, "" for none
		after func(live *corev1.Secret) trace
	}{
		{"the cache is believed", trace{}, func(g *rig) reader { return lagging{everyName{g.c}, cached} }, true, "3", func(*corev1.Secret) trace { return trace{} }},
		{"the cache is behind", trace{doubt: true}, func(g *rig) reader { return lagging{everyName{g.c}, cached} }, true, "live",
			func(live *corev1.Secret) trace { return trace{version: live.ResourceVersion} }},
		{"the cache is behind, and it is gone", trace{doubt: true}, func(g *rig) reader { return lagging{everyName{g.c}, cached} }, false, "",
			func(*corev1.Secret) trace { return trace{deleted: "cached"} }},
		{"a write failed, and there is none", trace{doubt: true}, func(g *rig) reader { return lagging{everyName: everyName{g.c}} }, false, "",
			func(*corev1.Secret) trace { return trace{} }},
		{"of it the name is kept alone", trace{}, func(g *rig) reader { return unheld{everyName{g.c}} }, true, "live", func(*corev1.Secret) trace { return trace{} }},
		{"of it the name is kept alone, and it is gone", trace{}, func(g *rig) reader { return unheld{everyName{g.c}} }, false, "", func(*corev1.Secret) trace { return trace{} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1)
			live := &corev1.Secret{}
			if test.there {
				live = g.there("regcred", true)
			}
			known := test.known
			object, err := g.r.read(t.Context(), test.from(g), key, func() client.Object { return &corev1.Secret{} }, &known)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if object != nil {
				got = object.GetResourceVersion()
			}
			if want := strings.ReplaceAll(test.want, "live", live.ResourceVersion); got != want || known != test.after(live) {
				t.Errorf("read is %q, want %q; known is %+v", got, want, known)
			}
		})
	}
}

// unheld is a cache that keeps the names of objects alone.
type unheld struct{ everyName }

func (unheld) Get(context.Context, client.ObjectKey, client.Object) error {
	return fmt.Errorf("regcred: %w", named.ErrNotHeld)
}

func TestASecretThatIsDeletedAgainAndAgainIsRepairedThreeTimes(t *testing.T) {
	g, seen := delivers(t, nil)
	for range 10 {
		if secret := g.secret("n-00000"); secret != nil {
			if err := g.c.Delete(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := g.reconcile("n-00000"); err != nil {
			t.Fatal(err)
		}
		g.now = g.now.Add(time.Second)
	}
	if made := len(seen.lines()); made != 1+pullsecret.ContestReverts { // the first is no repair: what was written before is not remembered here
		t.Errorf("%d times it is made: %q", made, seen.lines())
	}
	if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonContested {
		t.Errorf("%+v", d)
	}
	if after, err := g.reconcile("n-00000"); err != nil || after < pullsecret.ContestWindow-time.Minute || after > pullsecret.ContestWindow {
		t.Errorf("it is looked at again after %s: %v", after, err)
	}
}

func TestFieldsThatOthersManageAreNotSent(t *testing.T) {
	g, seen := delivers(t, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	if sent := seen.find(t, "update Secret regcred").sent["metadata"].(map[string]any); sent["managedFields"] != nil {
		t.Errorf("%v", sent["managedFields"])
	}
}

func TestWhatAWriteIsFor(t *testing.T) {
	contribution := func(change func(*pullsecret.Contribution)) pullsecret.Contribution {
		one := pullsecret.Contribution{Credential: "company", Config: record(t, "company", "1-x", "one", "r.example").Config, Metadata: pullsecret.Metadata{Labels: map[string]string{"team": "shop"}}}
		change(&one)
		return one
	}
	same, other := contribution(func(*pullsecret.Contribution) {}), pullsecret.Contribution{Credential: "other", Config: dockerconfig.Config{}}
	want := purposeOf([]pullsecret.Contribution{same, other})
	for name, test := range map[string]struct {
		all  []pullsecret.Contribution
		same bool
	}{
		"the same in another order":          {[]pullsecret.Contribution{other, same}, true},
		"another revision of the same value": {[]pullsecret.Contribution{contribution(func(c *pullsecret.Contribution) { c.Revision = "2-x" }), other}, true},
		"another password": {[]pullsecret.Contribution{contribution(func(c *pullsecret.Contribution) {
			c.Config = record(t, "company", "1-x", "two", "r.example").Config
		}), other}, false},
		"another label":        {[]pullsecret.Contribution{contribution(func(c *pullsecret.Contribution) { c.Metadata.Labels["team"] = "web" }), other}, false},
		"one less":             {[]pullsecret.Contribution{same}, false},
		"nothing is published": {[]pullsecret.Contribution{contribution(func(c *pullsecret.Contribution) { c.Config = nil }), other}, false},
		"another one":          {[]pullsecret.Contribution{contribution(func(c *pullsecret.Contribution) { c.Credential = "web" }), other}, false},
	} {
		if got := purposeOf(test.all) == want; got != test.same {
			t.Errorf("%s: the same is %t", name, got)
		}
	}
}

func TestWhatOfASecretIsRegcreds(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*corev1.Secret)
		content bool // it is the same in what is written for a purpose
		all     bool // it is the same in all that is kept
	}{
		"nothing":           {func(*corev1.Secret) {}, true, true},
		"its version":       {func(s *corev1.Secret) { s.ResourceVersion = "9" }, true, true},
		"another key":       {func(s *corev1.Secret) { s.Data["theirs"] = []byte("x") }, true, true},
		"a label of others": {func(s *corev1.Secret) { s.Labels["theirs"] = "x" }, true, false},
		"an annotation":     {func(s *corev1.Secret) { s.Annotations["theirs"] = "x" }, true, false},
		"the entries":       {func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{}`) }, false, false},
		"the type":          {func(s *corev1.Secret) { s.Type = "Opaque" }, false, false},
		"the label":         {func(s *corev1.Secret) { s.Labels[v1alpha1.ManagedLabel] = "" }, false, false},
		"what is recorded":  {func(s *corev1.Secret) { s.Annotations[v1alpha1.SourcesAnnotation] = "{}" }, false, false},
		"a part in its place": {func(s *corev1.Secret) {
			s.Type += corev1.SecretType(s.Labels[v1alpha1.ManagedLabel])
			s.Labels[v1alpha1.ManagedLabel] = ""
		}, false, false},
	} {
		one, other := version("a", "5", "r.example"), version("a", "5", "r.example")
		one.Type, other.Type = corev1.SecretTypeDockerConfigJson, corev1.SecretTypeDockerConfigJson
		test.change(other)
		if got := contentOf(one) == contentOf(other); got != test.content {
			t.Errorf("%s: the same content is %t", name, got)
		}
		if got := sameContent(one, other); got != test.all {
			t.Errorf("%s: the same is %t", name, got)
		}
	}
	if contentOf(nil) == contentOf(&corev1.Secret{}) {
		t.Error("an empty Secret is none")
	}
}

// A new value is no repair: it is written at once, however often a rival was repaired before.
func TestANewValueIsWrittenThoughARivalIsRepairedNoMore(t *testing.T) {
	g, seen := delivers(t, nil)
	wreck := func() {
		secret := g.secret("n-00000")
		secret.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`)
		if err := g.c.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * pullsecret.ContestReverts {
		wreck()
		g.all(1)
	}
	if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonContested {
		t.Fatalf("%+v", d)
	}
	seen.requests = nil
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	if g.all(1); g.having(1, `"two"`) != 1 || len(seen.requests) != 1 {
		t.Errorf("%q", seen.lines())
	}
}
