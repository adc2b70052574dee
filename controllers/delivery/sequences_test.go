package delivery

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/test/inmemory"
)

// everyName reads everything of a client.
type everyName struct{ c client.Client }

func (n everyName) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	return n.c.Get(ctx, key, into)
}
func (n everyName) List(ctx context.Context, namespace string, into client.ObjectList, visit func()) error {
	if err := n.c.List(ctx, into, client.InNamespace(namespace)); err != nil {
		return err
	}
	visit()
	return nil
}
func (n everyName) Allowed(string) bool                { return true }
func (n everyName) Names() []string                    { return []string{named.Any} }
func (n everyName) Each(func(cache.Cache) error) error { return nil }

type rig struct {
	t   testing.TB
	now time.Time
	c   client.Client
	r   *Reconciler
	// storeFails is what the server of the store answers, nil where it does what it is asked for.
	storeFails error
}

func newRig(t testing.TB, namespaces int, credentials ...*v1alpha1.RegistryCredential) *rig {
	var objects []client.Object
	for i := range namespaces {
		name := fmt.Sprintf("n-%05d", i)
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"team": "shop"}}},
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}})
	}
	for _, c := range credentials {
		objects = append(objects, c)
	}
	g := &rig{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	g.c = inmemory.Cluster().WithObjects(objects...).
		WithIndex(&corev1.Secret{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build()
	g.r = &Reconciler{Cluster: g.c, Writer: g.c, Secrets: everyName{g.c}, ServiceAccounts: everyName{g.c},
		Board: delivered.NewBoard(func(string) {}), Now: func() time.Time { return g.now }}
	return g
}

// alsoThere has a namespace of a team exist that nobody looks at.
func (g *rig) alsoThere(team string) {
	g.t.Helper()
	err := g.c.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "of-" + team, Labels: map[string]string{"team": team}}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		g.t.Fatal(err)
	}
}

func credential(name string, registries ...string) *v1alpha1.RegistryCredential {
	o := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	for _, r := range registries {
		o.Spec.Registries = append(o.Spec.Registries, v1alpha1.Registry(r))
	}
	o.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	return o
}

// store is an empty one, which was not loaded yet.
func (g *rig) store() *records.Store {
	kept := inmemory.Clientset()
	kept.PrependReactor("*", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if made, is := action.(clienttesting.CreateAction); is && action.GetVerb() == "create" {
			made.GetObject().(*corev1.Secret).ResourceVersion = "1" // as a server does
		}
		return g.storeFails != nil, nil, g.storeFails
	})
	return records.NewStore(kept.CoreV1(), "regcred-system", func(string) {})
}

// publish has the store hold these values, too.
func (g *rig) publish(published ...records.Record) {
	if g.r.Store == nil {
		g.r.Store = g.store()
	}
	if err := g.r.Store.Load(context.Background()); err != nil {
		g.t.Fatal(err)
	}
	for _, record := range published {
		if err := g.r.Store.Save(context.Background(), record); err != nil {
			g.t.Fatal(err)
		}
	}
}

func record(t testing.TB, name, revision, password string, keys ...string) records.Record {
	value, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		t.Fatal(err)
	}
	config := dockerconfig.Config{}
	for _, key := range keys {
		config[key] = value
	}
	return records.Record{Credential: name, UID: types.UID(name), Kept: rotation.Kept{Value: rotation.Value{Config: config, Revision: revision, Use: rotation.Use{VerifiedTime: time.Unix(1, 0)}}}}
}

func (g *rig) reconcile(namespace string) (time.Duration, error) {
	result, err := g.r.Reconcile(context.Background(), delivered.Place{Namespace: namespace, Name: "regcred"})
	return result.RequeueAfter, err
}

func (g *rig) secret(namespace string) *corev1.Secret {
	var s corev1.Secret
	if err := g.c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &s); err != nil {
		return nil
	}
	return &s
}

func (g *rig) all(namespaces int) {
	g.t.Helper()
	for i := range namespaces {
		if _, err := g.reconcile(fmt.Sprintf("n-%05d", i)); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *rig) edit(change func(*v1alpha1.RegistryCredential)) {
	g.t.Helper()
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(context.Background(), client.ObjectKey{Name: "company"}, &object); err != nil {
		g.t.Fatal(err)
	}
	change(&object)
	object.Generation++
	if err := g.c.Update(context.Background(), &object); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) removal() delivered.Removal {
	g.t.Helper()
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(context.Background(), client.ObjectKey{Name: "company"}, &object); err != nil {
		g.t.Fatal(err)
	}
	result, err := g.r.Removal(context.Background(), &object)
	if err != nil {
		g.t.Fatal(err)
	}
	return result
}

// has says whether a namespace's Secret holds a text.
func (g *rig) has(namespace int, text string) bool {
	s := g.secret(fmt.Sprintf("n-%05d", namespace))
	return s != nil && strings.Contains(string(s.Data[corev1.DockerConfigJsonKey]), text)
}

func (g *rig) having(namespaces int, text string) int {
	count := 0
	for i := range namespaces {
		if g.has(i, text) {
			count++
		}
	}
	return count
}

func TestTheSameValueWrittenAgainAndAgainIsNoRival(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	for version := range 12 {
		g.publish(record(t, "company", fmt.Sprintf("%d-x", version), "same", "r.example"))
		g.all(1)
		if d := g.r.Board.Of("company", "regcred")["n-00000"]; d.Reason != "" || d.Revision != fmt.Sprintf("%d-x", version) {
			t.Fatalf("version %d: %+v", version, d)
		}
		g.now = g.now.Add(5 * time.Minute)
	}
}

func TestAMissingServiceAccountFailsOnlyWhoWantsIt(t *testing.T) {
	a, b := credential("a", "a.example"), credential("b", "b.example")
	a.Spec.Target.ServiceAccounts = &[]string{"builder"}
	g := newRig(t, 1, a, b)
	g.publish(record(t, "a", "1-a", "x", "a.example"), record(t, "b", "1-b", "y", "b.example"))
	g.all(1)
	if d := g.r.Board.Of("b", "regcred")["n-00000"]; d.Reason != "" {
		t.Errorf("b: %+v", d)
	}
	if d := g.r.Board.Of("a", "regcred")["n-00000"]; d.Reason != v1alpha1.ReasonServiceAccountNotFound {
		t.Errorf("a: %+v", d)
	}
}

func TestTwoCredentialsThatSwapRegistriesLeaveNoneWithoutAnEntry(t *testing.T) {
	for _, first := range []string{"a", "b"} {
		t.Run(first+" is published first", func(t *testing.T) {
			a, b := credential("a", "y.example"), credential("b", "x.example")
			a.CreationTimestamp, b.CreationTimestamp = metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
			g := newRig(t, 1, a, b)
			g.publish(record(t, "a", "1-a", "pa", "x.example"), record(t, "b", "1-b", "pb", "y.example"))
			g.all(1)
			swapped := map[string]records.Record{"a": record(t, "a", "2-a", "pa", "y.example"), "b": record(t, "b", "2-b", "pb", "x.example")}
			for _, next := range []string{first, map[string]string{"a": "b", "b": "a"}[first]} {
				g.publish(swapped[next])
				g.all(1)
				if g.having(1, "x.example") != 1 || g.having(1, "y.example") != 1 {
					t.Errorf("after %s an entry is missing: %s", next, g.secret("n-00000").Data[corev1.DockerConfigJsonKey])
				}
			}
			g.all(1)
			for _, name := range []string{"a", "b"} {
				if d, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, name); d.TakenBy != "" || d.Revision != "2-"+name {
					t.Errorf("in the end %s: %+v", name, d)
				}
			}
		})
	}
}

func TestWhatWaitsForConfirmationIsRotatedAllTheSame(t *testing.T) {
	g := newRig(t, 10, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "old", "r.example"))
	g.all(10)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "shpo" })
	g.all(10)
	g.now = g.now.Add(time.Minute)
	g.publish(record(t, "company", "2-x", "new", "r.example"))
	g.all(10)
	if got := g.having(10, `"password":"new"`); got != 10 {
		t.Errorf("%d of 10 have the new password", got)
	}
	held := g.removal()
	if !held.Held || held.ID == "" || held.Losing != 10 {
		t.Fatalf("%+v", held)
	}
	if s := g.r.Board.Summary("company", "regcred"); s.Unselected != 10 || s.Selected != 0 {
		t.Errorf("%+v", s)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, held.ID)
	})
	g.all(10)
	if got := g.having(10, "r.example"); got != 0 {
		t.Errorf("%d still have it after the confirmation", got)
	}
	if told := g.r.Board.TakeRemoved("company"); told != 10 {
		t.Errorf("%d are said to have lost it", told)
	}
}

// A removal is counted once, and a Secret that only gets another name is none.
func TestNamespacesThatLoseACredentialAreCounted(t *testing.T) {
	g := newRig(t, 3, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "good", "r.example"))
	g.all(3)
	var namespace corev1.Namespace
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00001"}, &namespace); err != nil {
		t.Fatal(err)
	}
	namespace.Labels["team"] = "none"
	if err := g.c.Update(t.Context(), &namespace); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.all(3)
		g.now = g.now.Add(time.Minute)
	}
	if told, has := g.r.Board.TakeRemoved("company"), g.having(3, "r.example"); told != 1 || has != 2 {
		t.Errorf("%d are said to have lost it, and %d have it", told, has)
	}
	if told := g.r.Board.TakeRemoved("company"); told != 0 {
		t.Errorf("%d are told again", told)
	}
}

func TestATypoInARegistryTakesTheKeyFromNobodyUnconfirmed(t *testing.T) {
	g := newRig(t, 100, credential("company", "registry.example"))
	g.publish(record(t, "company", "1-x", "good", "registry.example"))
	g.all(100)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Registries = []v1alpha1.Registry{"regsitry.example"} })
	next := record(t, "company", "1-x", "good", "regsitry.example")
	next.Digest = "2"
	g.publish(next)
	for range 3 {
		g.all(100)
		g.now = g.now.Add(time.Minute)
	}
	if got := g.having(100, `"registry.example"`); got != 100 {
		t.Errorf("%d of 100 still have it", got)
	}
	if held := g.removal(); !held.Held || held.Losing != 100 {
		t.Errorf("%+v", held)
	}
}

func TestADeletionThatTakesManyNamespacesWaitsForAPerson(t *testing.T) {
	company := credential("company", "r.example")
	company.Spec.DeletionPolicy, company.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	g := newRig(t, 10, company)
	g.publish(record(t, "company", "1-x", "good", "r.example"))
	g.all(10)
	if err := g.c.Delete(t.Context(), company); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g.all(10)
		g.now = g.now.Add(time.Minute)
	}
	held := g.removal()
	if got := g.having(10, "r.example"); got != 10 || !held.Held || held.ID == "" || held.Losing != 10 {
		t.Fatalf("%d of 10 still have it, %+v", got, held)
	}
	if told := g.r.Board.TakeRemoved("company"); told != 0 {
		t.Errorf("%d are said to have lost it", told)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.ConfirmRemovalAnnotation, held.ID)
	})
	g.all(10)
	if got := g.having(10, "r.example"); got != 0 {
		t.Errorf("%d still have it after the confirmation", got)
	}
}

func TestEightNamespacesRelabelledAtOnceAreOneRemoval(t *testing.T) {
	g := newRig(t, 8, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "old", "r.example"))
	g.all(8)
	for i := range 8 {
		var namespace corev1.Namespace
		if err := g.c.Get(context.Background(), client.ObjectKey{Name: fmt.Sprintf("n-%05d", i)}, &namespace); err != nil {
			t.Fatal(err)
		}
		namespace.Labels["team"] = "none"
		if err := g.c.Update(context.Background(), &namespace); err != nil {
			t.Fatal(err)
		}
		g.all(8)
		g.now = g.now.Add(25 * time.Millisecond)
	}
	g.now = g.now.Add(time.Minute)
	g.all(8)
	if got := g.having(8, "r.example"); got != 8 || !g.removal().Held {
		t.Errorf("%d of 8 still have it, %+v", got, g.removal())
	}
}
