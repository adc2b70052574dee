package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/pullsecret"
)

// telling has the rig write events, which it returns as lines: namespace, type, reason, object and note.
func (g *rig) telling() func() []string {
	g.r.Events = announce.Writer{Client: g.c, Now: func() time.Time { return g.now }}
	return func() []string {
		g.t.Helper()
		var list eventsv1.EventList
		if err := g.c.List(context.Background(), &list); err != nil {
			g.t.Fatal(err)
		}
		var lines []string
		for _, e := range list.Items {
			lines = append(lines, strings.Join([]string{e.Namespace, e.Type, e.Reason, e.Regarding.Kind + "/" + e.Regarding.Namespace + "/" + e.Regarding.Name,
				e.Related.Kind + "/" + e.Related.Name, e.Note}, " "))
		}
		slices.Sort(lines)
		return lines
	}
}

// later looks at all namespaces again and again, until what is to be decided is.
func (g *rig) later(namespaces int) {
	g.t.Helper()
	for range 3 {
		g.all(namespaces)
		g.now = g.now.Add(time.Minute)
	}
}

// exclude has the RegistryCredential select all of its namespaces but one.
func (g *rig) exclude(namespace v1alpha1.NamespaceName) {
	g.t.Helper()
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{namespace}
	})
}

func TestThePeopleOfANamespaceAreToldOnceWhyItLostAnEntry(t *testing.T) {
	const (
		here = "n-00000 Warning Removed Secret/n-00000/regcred RegistryCredential/company "
		then = ". New pods that pull private images from there fail. If that is a mistake, ask whoever manages RegistryCredential company; if not, name another pull Secret"
	)
	for _, test := range []struct {
		name    string
		deletes v1alpha1.DeletionPolicy
		change  func(*testing.T, *rig)
		want    string
	}{
		{name: "a label", change: func(_ *testing.T, g *rig) { g.relabel(1) }, want: here + "this Secret was deleted with its entry for r.example: " +
			"RegistryCredential company does not select this namespace any more, because its spec.target or a label of the namespace was changed" + then},
		{name: "its exclusion", change: func(_ *testing.T, g *rig) {
			g.exclude("n-00000")
		}, want: here + "this Secret was deleted with its entry for r.example: " +
			"RegistryCredential company does not select this namespace any more, because its spec.target or a label of the namespace was changed" + then},
		{name: "a Secret with an entry of others stays", change: func(t *testing.T, g *rig) {
			g.publish(record(t, "company", "1-x", "canary", "r.example"), record(t, "other", "1-y", "canary", "other.example"))
			g.all(2)
			g.exclude("n-00000")
		}, want: here + "the entry for r.example was taken out of this Secret: " +
			"RegistryCredential company does not select this namespace any more, because its spec.target or a label of the namespace was changed" + then},
		{name: "a Secret that was taken over stays, empty", change: func(t *testing.T, g *rig) {
			secret := g.secret("n-00000")
			metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.AdoptedAnnotation, v1alpha1.AdoptedValue)
			if err := g.c.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			g.exclude("n-00000")
		}, want: here + "the entry for r.example was taken out of this Secret: " +
			"RegistryCredential company does not select this namespace any more, because its spec.target or a label of the namespace was changed" + then},
		{name: "others provide the registry there", change: func(t *testing.T, g *rig) {
			g.publish(record(t, "company", "1-x", "canary", "r.example"), record(t, "other", "1-y", "canary", "r.example"))
			g.all(2)
			g.exclude("n-00000")
		}},
		{name: "others provide it there in another spelling", change: func(t *testing.T, g *rig) {
			g.publish(record(t, "company", "1-x", "canary", "r.example"), record(t, "other", "1-y", "canary", "https://r.example/v1/"))
			g.all(2)
			g.exclude("n-00000")
		}},
		{name: "others provide one registry of two there", change: func(t *testing.T, g *rig) {
			g.publish(record(t, "company", "1-x", "canary", "other.example", "r.example"), record(t, "other", "1-y", "canary", "other.example"))
			g.all(2)
			g.exclude("n-00000")
		}, want: here + "the entry for r.example was taken out of this Secret: " +
			"RegistryCredential company does not select this namespace any more, because its spec.target or a label of the namespace was changed" + then},
		{name: "a removal that waits for a person", change: func(_ *testing.T, g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
		}},
		{name: "a deletion that leaves the entries", change: func(t *testing.T, g *rig) {
			if err := g.c.Delete(t.Context(), credential("company")); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a change of nothing that is selected", change: func(_ *testing.T, g *rig) {
			g.exclude("elsewhere")
		}},
		{name: "a namespace that is being deleted", change: func(t *testing.T, g *rig) {
			g.relabel(1)
			var namespace corev1.Namespace
			if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
				t.Fatal(err)
			}
			namespace.Finalizers = []string{"kubernetes"}
			if err := errors.Join(g.c.Update(t.Context(), &namespace), g.c.Delete(t.Context(), &namespace)); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a key that its own people wrote", change: func(_ *testing.T, g *rig) { g.forge("n-00000", "r.example", "forged.example") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 2, credential("company", "r.example"), credential("other", "other.example"))
			told := g.telling()
			g.publish(record(t, "company", "1-x", "canary", "r.example"))
			g.later(2)
			if before := told(); len(before) > 0 {
				t.Fatalf("before anything changed it is told %q", before)
			}
			test.change(t, g)
			g.later(2)
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			if got := told(); !slices.Equal(got, want) || strings.Contains(strings.Join(got, ""), "canary") {
				t.Errorf("they are told\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestThePeopleOfEachNamespaceAreToldOfADeletion(t *testing.T) {
	company := credential("company", "r.example")
	company.Spec.DeletionPolicy, company.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	g := newRig(t, 3, company)
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "r.example"))
	g.all(3)
	before := g.secret("n-00002")
	if err := g.c.Delete(t.Context(), company); err != nil {
		t.Fatal(err)
	}
	g.later(3)
	got := told()
	if len(got) != 3 {
		t.Fatalf("three namespaces are told %q", got)
	}
	for i, namespace := range []string{"n-00000", "n-00001", "n-00002"} {
		if !strings.HasPrefix(got[i], namespace+" Warning Removed Secret/"+namespace+"/regcred ") || !strings.Contains(got[i], ": RegistryCredential company is deleted, and its deletionPolicy is Delete. ") {
			t.Errorf("%q", got[i])
		}
	}
	if counted := g.r.Board.TakeRemoved("company"); counted != 3 {
		t.Errorf("%d namespaces are said to have lost it", counted)
	}
	var list eventsv1.EventList
	if err := g.c.List(t.Context(), &list, client.InNamespace("n-00002")); err != nil {
		t.Fatal(err)
	}
	if of := list.Items[0].Regarding; of.UID != before.UID || of.ResourceVersion != before.ResourceVersion || of.ResourceVersion == "" {
		t.Errorf("it is told of another Secret than the one that went: %+v", of)
	}
}

func TestAnEventOfALossLeavesRoomForWhatToDo(t *testing.T) {
	long := strings.Repeat("r", 2000)
	one := loss{credential: credential("company"), cause: deselected, keys: []string{long, long, long, long}}
	if note := one.note(true); len(note) > 1000 || !strings.HasSuffix(note, "name another pull Secret") {
		t.Errorf("%d bytes: %s", len(note), note)
	}
}

func TestThePeopleOfANamespaceAreToldOfARegistryThatIsNotListedAnyMore(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example", "a.example", "b.example", "c.example", "d.example"))
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "a.example", "b.example", "c.example", "d.example", "r.example"))
	g.all(1)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = []v1alpha1.Registry{"r.example"} })
	g.publish(record(t, "company", "2-x", "canary", "r.example"))
	g.later(1)
	got := told()
	const want = "the entry for a.example, b.example, c.example and 1 more was taken out of this Secret: RegistryCredential company does not provide it any more, because its spec.registries was changed. New pods"
	if len(got) != 1 || !strings.HasPrefix(got[0], "n-00000 Warning Removed ") || !strings.Contains(got[0], want) {
		t.Errorf("they are told %q, want %q", got, want)
	}
}

func TestWhatOfALossIsGone(t *testing.T) {
	for _, test := range []struct {
		name  string
		keys  []string
		left  pullsecret.Sources
		tells []string
	}{
		{"nothing is left", []string{"r.example"}, nil, []string{"r.example"}},
		{"another one provides it", []string{"r.example/a"}, pullsecret.Sources{"other": {Keys: []string{"r.example/a"}}}, nil},
		{"another one provides the whole host", []string{"r.example/a"}, pullsecret.Sources{"other": {Keys: []string{"r.example"}}}, nil},
		{"another one provides another part of the host", []string{"r.example/a"}, pullsecret.Sources{"other": {Keys: []string{"r.example/b"}}}, []string{"r.example/a"}},
		{"another one provides a part of the host", []string{"r.example"}, pullsecret.Sources{"other": {Keys: []string{"r.example/b"}}}, []string{"r.example"}},
		{"its entries are one for each registry now", []string{"r.example", "s.example"}, pullsecret.Sources{"company": {Keys: []string{"r.example/a"}}}, []string{"s.example"}},
		{"it provides another part of the host", []string{"r.example/a"}, pullsecret.Sources{"company": {Keys: []string{"r.example/b"}}}, []string{"r.example/a"}},
		{"its entries are one for each host now", []string{"r.example/a", "s.example/a"}, pullsecret.Sources{"company": {Keys: []string{"r.example"}}}, []string{"s.example/a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			one := loss{credential: credential("company"), keys: test.keys}
			if got := one.gone(test.left); !slices.Equal(got, test.tells) {
				t.Errorf("it tells of %q, want %q", got, test.tells)
			}
		})
	}
}

func TestThePeopleOfANamespaceAreToldTheNewNameOfTheirSecret(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "r.example"))
	g.all(1)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "pull" })
	arrived := &corev1.Secret{}
	if err := g.c.Get(t.Context(), client.ObjectKey{Namespace: "n-00000", Name: "regcred"}, arrived); err != nil {
		t.Fatal(err)
	}
	arrived.ObjectMeta = metav1.ObjectMeta{Namespace: "n-00000", Name: "pull", Labels: arrived.Labels, Annotations: arrived.Annotations}
	if err := g.c.Create(t.Context(), arrived); err != nil {
		t.Fatal(err)
	}
	g.later(1)
	got := told()
	const want = "n-00000 Normal Removed Secret/n-00000/regcred RegistryCredential/company this Secret was deleted with its entry for r.example: RegistryCredential company writes Secret pull now, " +
		"because its spec.target.secretName was changed. Where you name this Secret yourself, such as in imagePullSecrets of a Deployment, name Secret pull instead"
	if len(got) != 1 || got[0] != want {
		t.Errorf("they are told %q, want %q", got, want)
	}
	if counted := g.r.Board.TakeRemoved("company"); counted != 0 {
		t.Errorf("%d namespaces are said to have lost it", counted)
	}
}

// A quota of events, or an API server that does not answer one, keeps no entry where it must not be.
func TestARemovalDoesNotWaitForWhatIsToldOfIt(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	refused := &deaf{}
	g.r.Events = announce.Writer{Client: refused, Now: func() time.Time { return g.now }}
	g.publish(record(t, "company", "1-x", "canary", "r.example"))
	g.all(2)
	g.relabel(1)
	g.later(2)
	if has, counted := g.having(2, "r.example"), g.r.Board.TakeRemoved("company"); has != 1 || counted != 1 || refused.times != 1 || !refused.bounded {
		t.Errorf("%d of two have the entry, %d are said to have lost it, and an event was tried %d times, within a time: %t", has, counted, refused.times, refused.bounded)
	}
}

type deaf struct {
	client.Writer
	times   int
	bounded bool
}

func (r *deaf) Create(ctx context.Context, _ client.Object, _ ...client.CreateOption) error {
	_, bounded := ctx.Deadline()
	r.times, r.bounded = r.times+1, bounded
	return errors.New("exceeded quota: events")
}
