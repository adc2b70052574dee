package delivery

import (
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/test/inmemory"
)

func TestNothingIsMissingThatIsServedAnotherWay(t *testing.T) {
	published := record(t, "company", "1-x", "one", "r.example")
	perHost := func(c *v1alpha1.RegistryCredential) { c.Spec.Target.EntryPer = v1alpha1.EntryPerHost }
	for _, test := range []struct {
		name     string
		record   records.Record
		change   func(*v1alpha1.RegistryCredential)
		recorded string
		want     int
	}{
		{"a path of a registry", published, func(*v1alpha1.RegistryCredential) {}, "r.example/team", 1},
		{"a path of a registry whose host is published for all", published, perHost, "r.example/team", 0},
		{"another registry", published, perHost, "s.example/team", 1},
		{"nothing is published", records.Record{UID: "company"}, func(*v1alpha1.RegistryCredential) {}, "r.example", 0},
		{"another one of the name is published", published, func(c *v1alpha1.RegistryCredential) { c.UID = "another" }, "s.example", 0},
	} {
		object := credential("company", "r.example")
		test.change(object)
		if got := missing(test.record, object, []string{test.recorded}); len(got) != test.want {
			t.Errorf("%s: missing is %q", test.name, got)
		}
	}
}

// A registry that somebody lists for the same Secret stays in any spelling.
func TestARegistryIsListedInAnySpelling(t *testing.T) {
	g := newRig(t, 1)
	other := *credential("other", "r.example")
	got, going := g.r.stillListed(g.namespace(), "regcred", []string{"https://r.example", "s.example"}, []v1alpha1.RegistryCredential{other})
	if !slices.Equal(got, []string{"https://r.example"}) || !slices.Equal(going, []string{"s.example"}) {
		t.Errorf("%q stay, %q go", got, going)
	}
}

func TestWhereItCannotBeReadWhoIsSelectedNothingIsTaken(t *testing.T) {
	g, _ := delivers(t, nil)
	g.deselect()
	object := g.company()
	if _, err := g.r.mayLose(t.Context(), object, first); err != nil {
		t.Fatal(err)
	}
	g.now = g.now.Add(settle)
	g.unreadable("NamespaceList")
	if got, err := g.r.mayLose(t.Context(), object, first); !errors.Is(err, errAway) || got.granted {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhetherASecretOfAnotherNameArrived(t *testing.T) {
	for _, test := range []struct {
		name  string
		names []string
		there func(g *rig)
		want  bool
	}{
		{"it is not there", nil, func(*rig) {}, false},
		{"it is there", nil, func(g *rig) { g.there("new", true) }, true},
		{"one of somebody's is there", nil, func(g *rig) { g.there("new", false) }, false},
		{"one that was taken from regcred is there, with what it recorded", nil, func(g *rig) {
			secret := g.there("new", true)
			secret.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
			if err := g.c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"the operator was not given its name", []string{"regcred"}, func(g *rig) { g.there("new", true) }, false},
		{"one is there for others", nil, func(g *rig) {
			secret := g.there("new", true)
			secret.Annotations[v1alpha1.SourcesAnnotation] = pullsecret.Sources{"other": {}}.String()
			if err := g.c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1)
			if test.names != nil {
				g.r.Secrets = fewNames{everyName{g.c}, test.names}
			}
			object := credential("company", "r.example")
			object.Spec.Target.SecretName = "new"
			test.there(g)
			if got, err := g.r.arrived(t.Context(), object, "n-00000"); err != nil || got != test.want {
				t.Errorf("%t, %v", got, err)
			}
		})
	}
	g := newRig(t, 1)
	g.publish()
	g.unreadable("Secret")
	object := credential("company", "r.example")
	object.Spec.Target.SecretName = "new"
	f := facts{place: first, namespace: g.namespace(), memory: &memory{}}
	if stays, err := g.r.stays(t.Context(), &f, object, true, true, true); !stays || !errors.Is(err, errAway) {
		t.Errorf("where that cannot be read it stays: %t, %v", stays, err)
	}
}

// Two wait for two things, and of both it is told.
func TestTwoThatWaitAtOnePlace(t *testing.T) {
	var f facts
	f.waiting("a", verdict{id: "abc"})
	f.waiting("b", verdict{after: time.Second})
	f.waiting("c", verdict{granted: true})
	if len(f.waits) != 2 || f.waits["a"].id != "abc" || f.waits["b"].after != time.Second {
		t.Errorf("%+v", f.waits)
	}
}

// Of removals that a newer version recorded nothing is known here: what is there stays.
func TestWhatANewerVersionKeepsIsLeftAlone(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.there("regcred", true)
	g.r.ledger.begin(g.secret("n-00000"))
	g.r.Store = newerStore(t)
	f := facts{place: first, namespace: g.namespace(), memory: &memory{}}
	object := credential("company", "r.example")
	if stays, err := g.r.stays(t.Context(), &f, object, true, false, true); !stays || err != nil || len(f.waits) > 0 {
		t.Errorf("stays %t, waits %v: %v", stays, f.waits, err)
	}
}

// newerStore has a record of company that a newer version kept.
func newerStore(t *testing.T) *records.Store {
	t.Helper()
	kept := inmemory.Clientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: "regcred-published-company", Labels: map[string]string{"regcred.dev/published": "true"}},
		Data:       map[string][]byte{"credential": []byte("company"), "uid": []byte("company"), "memo": []byte(`{"format":1000}`)},
	})
	store := records.NewStore(kept.CoreV1(), "regcred-system", func(string) {})
	if err := store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}
