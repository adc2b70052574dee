package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

func going(policy v1alpha1.DeletionPolicy) func(*v1alpha1.RegistryCredential) {
	return func(c *v1alpha1.RegistryCredential) {
		c.Spec.DeletionPolicy, c.DeletionTimestamp, c.Finalizers = policy, ptr.To(metav1.Now()), []string{v1alpha1.Finalizer}
	}
}

func TestSeveralThatDepartedAreRemembered(t *testing.T) {
	var d departed
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"a", "b", "c"} {
		d.leaves(name, now)
	}
	d.note(credential("c")) // it was made again
	if !d.includes("a", now) || !d.includes("b", now) || d.includes("c", now) || d.includes("d", now) {
		t.Errorf("%v", d.names)
	}
}

// The Secret is taken from a ServiceAccount only where pods get it all the same.
func TestForWhomTheAdmissionPolicyStandsIn(t *testing.T) {
	asks, other := credential("asks"), credential("other")
	asks.Spec.Target.Attach, other.Spec.Target.Attach = v1alpha1.AttachPods, v1alpha1.AttachPods
	names := credential("names")
	stands := func(which ...string) func(*v1alpha1.RegistryCredential) injection.State {
		return func(c *v1alpha1.RegistryCredential) injection.State {
			return injection.State{Known: slices.Contains(which, c.Name)}
		}
	}
	for _, test := range []struct {
		name  string
		state func(*v1alpha1.RegistryCredential) injection.State
		all   []*v1alpha1.RegistryCredential
		want  bool
	}{
		{"nobody looks at it", nil, []*v1alpha1.RegistryCredential{asks}, false},
		{"it serves the one that asks", stands("asks"), []*v1alpha1.RegistryCredential{names, asks}, true},
		{"it serves one of two", stands("asks"), []*v1alpha1.RegistryCredential{asks, other}, false},
		{"it serves both", stands("asks", "other"), []*v1alpha1.RegistryCredential{asks, other}, true},
		{"nobody asks", stands("names"), []*v1alpha1.RegistryCredential{names}, false},
	} {
		r := &Reconciler{Injection: test.state}
		if got := r.injects(test.all); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
		f := facts{injected: test.want, staying: []*v1alpha1.RegistryCredential{asks}}
		if f.keeps("default") == test.want {
			t.Errorf("%s: that a ServiceAccount keeps the Secret is %t", test.name, !test.want)
		}
	}
}

func TestWhatIsGrantedToAPlace(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	place := func(namespace string) delivered.Place { return delivered.Place{Namespace: namespace, Name: "regcred"} }
	k := &keeper{decided: now, losing: wholly(place("a"), place("c")), state: removal.State{Granted: wholeIn("a", "b"), GrantTime: now}}
	if !k.grants(place("a"), now) || k.grants(place("c"), now) {
		t.Error("a place may lose what another one was granted")
	}
	if !k.grants(place("a"), now.Add(removal.Window-time.Second)) || k.grants(place("a"), now.Add(removal.Window)) {
		t.Error("it is granted for less or more than the window")
	}
	k.decided = now.Add(removal.Window / 2) // of others
	if k.grants(place("a"), now.Add(removal.Window)) {
		t.Error("a decision about others grants it for longer")
	}
	if k.decided = (time.Time{}); k.grants(place("a"), now) {
		t.Error("what an earlier process granted counts before it is looked at again")
	}
}

// What was granted to a namespace that loses nothing any more does not serve a later mistake, also while others still lose something.
func TestAGrantEndsWithTheLossThatItIsFor(t *testing.T) {
	g, _ := delivers(t, nil)
	object := credential("company", "r.example")
	a, b := delivered.Place{Namespace: "a", Name: "regcred"}, delivered.Place{Namespace: "b", Name: "regcred"}
	k := g.r.keepers.of(object, g.r.Store.Removals, g.now)
	k.losing, k.decided = wholly(a, b), g.now
	k.state.Granted, k.state.GrantTime = wholeIn("a", "b"), g.now
	if err := g.r.losesNothing(t.Context(), object, a); err != nil {
		t.Fatal(err)
	}
	if k.grants(a, g.now) || !k.grants(b, g.now) || len(k.losing) != 1 || !k.decided.Equal(g.now) {
		t.Errorf("granted: a %t, b %t; losing %v", k.grants(a, g.now), k.grants(b, g.now), k.losing)
	}
	g.now = g.now.Add(time.Minute)
	if err := g.r.losesNothing(t.Context(), object, b); err != nil {
		t.Fatal(err)
	}
	if len(k.losing) > 0 || k.grants(b, g.now) || !k.decided.Equal(g.now) {
		t.Errorf("the last one is not the end of the removal: losing %v, decided at %s", k.losing, k.decided)
	}
}

func TestWhoseEntriesStayWhereTheyAreNotSelected(t *testing.T) {
	suspended := func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = true }
	both := func(one, other func(*v1alpha1.RegistryCredential)) func(*v1alpha1.RegistryCredential) {
		return func(c *v1alpha1.RegistryCredential) { one(c); other(c) }
	}
	same := func(*v1alpha1.RegistryCredential) {}
	for _, test := range []struct {
		name            string
		change          func(*v1alpha1.RegistryCredential)
		readable, known bool
		want, waits     bool
	}{
		{"it is deleted, and they are retained", going(v1alpha1.DeletionRetain), true, true, true, false},
		{"the same, and nobody knows that they were delivered", going(v1alpha1.DeletionRetain), true, false, true, false},
		{"it is deleted with them", going(v1alpha1.DeletionDelete), true, true, true, true},
		{"it is deleted with them, and its people wrote the record", going(v1alpha1.DeletionDelete), true, false, false, false},
		{"it is suspended", suspended, true, true, true, false},
		{"it is suspended, and its people wrote the record", suspended, true, false, true, false},
		{"it was suspended and is deleted", both(suspended, going(v1alpha1.DeletionDelete)), true, false, false, false},
		{"its selector cannot be read", same, false, true, true, false},
		{"its selector could not be read and it is deleted", going(v1alpha1.DeletionDelete), false, false, false, false},
		{"it does not select the namespace any more", same, true, true, true, true},
		{"it never did, and its people wrote the record", same, true, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, _ := delivers(t, nil)
			object := credential("company", "r.example")
			test.change(object)
			f := facts{place: delivered.Place{Namespace: "n-00000", Name: "regcred"}, namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n-00000"}}, memory: &memory{}}
			stays, err := g.r.stays(t.Context(), &f, object, test.readable, false, test.known)
			if _, waits := f.waits["company"]; err != nil || stays != test.want || waits != test.waits {
				t.Errorf("stays %t, waits for a decision %t: %v", stays, waits, err)
			}
		})
	}
}

// A Secret that was just made has no version here: what the watch told of it meanwhile is newer.
func TestASecretWithoutAVersionReplacesNothingThatIsKnown(t *testing.T) {
	g, _ := delivers(t, nil)
	place := delivered.Place{Namespace: "n-00000", Name: "regcred"}
	seen := g.secret("n-00000")
	var l ledger
	l.note(seen)
	made := seen.DeepCopy()
	made.ResourceVersion = ""
	l.vouch(made, map[string][]string{"company": {"r.example"}})
	if got := l.secrets[place].version; got != seen.ResourceVersion || !slices.Equal(l.at(place, "company").known, []string{"r.example"}) {
		t.Errorf("version %q, known %q", got, l.at(place, "company").known)
	}
	l.settle(seen)
	if !l.settled(place, seen.ResourceVersion) || l.settled(place, "") {
		t.Error("the version that is there is not the one that is known")
	}
	another := seen.DeepCopy()
	another.UID = "another"
	l = ledger{}
	l.note(seen)
	if l.settle(another); l.settled(place, seen.ResourceVersion) {
		t.Error("another Secret of the same version is taken for this one")
	}
	l = ledger{}
	l.vouch(made, map[string][]string{"company": {"r.example"}})
	if l.holding("company") != 1 {
		t.Error("a Secret that was just made holds nothing")
	}
}

// The board knows of all namespaces before the first is looked at: else it would say that all have the value.
func TestBeforeTheFirstLookItIsKnownWhoIsSelected(t *testing.T) {
	g := newRig(t, 3, credential("company", "r.example"))
	object := credential("company", "r.example")
	if places := g.r.placesOf(t.Context(), object); len(places) != 3 {
		t.Errorf("%v", places)
	}
	if summary := g.r.Board.Summary("company", "regcred"); summary.Selected != 3 || summary.Unknown != 3 || summary.Generation != 1 {
		t.Errorf("%+v", summary)
	}
	if places := g.r.placesIn(t.Context(), "n-00001"); !slices.Equal(places, []delivered.Place{{Namespace: "n-00001", Name: "regcred"}}) {
		t.Errorf("%v", places)
	}
}

func TestOfANamespaceThatIsBeingDeletedOnlyThoseAreToldThatSelectIt(t *testing.T) {
	other, elsewhere := credential("other"), credential("elsewhere")
	other.Spec.Target.NamespaceSelector.MatchLabels["team"] = "other"
	elsewhere.Spec.Target.SecretName = "another"
	g := newRig(t, 1, credential("company"), other, elsewhere)
	var namespace corev1.Namespace
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00000"}, &namespace); err != nil {
		t.Fatal(err)
	}
	f := facts{place: delivered.Place{Namespace: "n-00000", Name: "regcred"}}
	if err := g.r.gatherLeaving(t.Context(), &f, &namespace); err != nil || !slices.Equal(f.concerned(), []string{"company"}) {
		t.Errorf("%q, %v", f.concerned(), err)
	}
}

// A namespace that is going, or gone, loses nothing by what somebody changes, and is none of those that hold the credential.
func TestNamespacesThatGoDoNotCountInARemoval(t *testing.T) {
	company := credential("company", "r.example")
	g := newRig(t, 3, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(3)
	object := credential("company", "r.example")
	object.Generation, object.Spec.Target.NamespaceSelector.MatchLabels["team"] = 2, "nobody"
	expect := func(when string, want ...string) {
		t.Helper()
		holding, losing, err := g.r.losses(t.Context(), object)
		if err != nil || !slices.Equal(holding, want) || !slices.Equal(removal.Namespaces(losing), want) {
			t.Errorf("%s: %q hold it, %v lose it: %v", when, holding, losing, err)
		}
	}
	expect("all are there", "n-00000", "n-00001", "n-00002")
	var gone, leaving corev1.Namespace
	gone.Name = "n-00001"
	if err := g.c.Delete(t.Context(), &gone); err != nil {
		t.Fatal(err)
	}
	expect("one is gone", "n-00000", "n-00002")
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "n-00002"}, &leaving); err != nil {
		t.Fatal(err)
	}
	leaving.Finalizers = []string{"theirs.example/x"}
	if err := g.c.Update(t.Context(), &leaving); err != nil {
		t.Fatal(err)
	}
	if err := g.c.Delete(t.Context(), &leaving); err != nil {
		t.Fatal(err)
	}
	expect("another one is going", "n-00000")
	g.unreadable("Namespace")
	if _, _, err := g.r.losses(t.Context(), object); err == nil {
		t.Error("what cannot be read counts as gone")
	}
}

func TestTheFirstWriteThatIsSlowIsDatedByItsEndToo(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	began := g.now
	g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			g.now = g.now.Add(5 * time.Second)
			return c.Apply(ctx, object, options...)
		},
	})
	g.all(1)
	if changed := g.source("n-00000").Changed; changed.Time.Before(began.Add(5 * time.Second)) {
		t.Errorf("the write ended 5 s after it began, and the change is dated %s after", changed.Sub(began))
	}
}

func TestWhichRecordedKeysAreMissing(t *testing.T) {
	for _, test := range []struct {
		name                string
		published, recorded []string
		want                []string
	}{
		{"none", []string{"r.example"}, []string{"r.example"}, nil},
		{"none that is recorded in another spelling", []string{"r.example"}, []string{"https://r.example"}, nil},
		{"none that is published in another spelling", []string{"https://r.example"}, []string{"r.example"}, nil},
		{"one that is not published", []string{"r.example"}, []string{"r.example", "s.example"}, []string{"s.example"}},
		{"one that names no registry", []string{"r.example"}, []string{"s.example:port"}, []string{"s.example:port"}},
		{"one that names no registry and is published so", []string{"s.example:port"}, []string{"s.example:port"}, nil},
		{"one, where another that names no registry is published", []string{"t.example:port"}, []string{"s.example:port"}, []string{"s.example:port"}},
	} {
		if got := missing(record(t, "company", "1", "one", test.published...), credential("company"), test.recorded); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestAServiceAccountThatCannotBeReadIsTriedAgain(t *testing.T) {
	g, seen := delivers(t, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.unreadable("ServiceAccount")
	if _, err := g.reconcile("n-00000"); err == nil || slices.Contains(seen.lines(), "patch ServiceAccount default") {
		t.Errorf("%v, %q", err, seen.lines())
	}
	place := delivered.Place{Namespace: "n-00000", Name: "regcred"}
	if known, _ := g.r.Board.At(place, "company"); known.Reason != v1alpha1.ReasonWriteFailed || !known.ServiceAccounts {
		t.Errorf("it is told as %+v", known)
	}
}

// A cache that is known to be behind is read past: where that fails, what the cache shows is not taken for what is there.
func TestWhatCannotBeReadPastACacheThatIsBehindIsNotKnown(t *testing.T) {
	g, _ := delivers(t, nil)
	key := client.ObjectKey{Namespace: "n-00000", Name: "regcred"}
	cached := g.r.Secrets
	g.unreadable("Secret")
	behind := &trace{doubt: true}
	if object, err := g.r.read(t.Context(), cached, key, func() client.Object { return &corev1.Secret{} }, behind); err == nil || object != nil || !behind.doubt {
		t.Errorf("%v, %v, still in doubt %t", object, err, behind.doubt)
	}
}

func TestASecretThatIsGoneHoldsNothing(t *testing.T) {
	g, _ := delivers(t, nil)
	g.all(1)
	secret, q := g.secret("n-00000"), &added{}
	another := secret.DeepCopy()
	another.UID = "another"
	g.r.onSecret().Delete(t.Context(), event.TypedDeleteEvent[*corev1.Secret]{Object: another}, q)
	if g.r.ledger.holding("company") != 1 {
		t.Error("another one of the name went, and this one is forgotten")
	}
	g.r.onSecret().Delete(t.Context(), event.TypedDeleteEvent[*corev1.Secret]{Object: secret}, q)
	if g.r.ledger.holding("company") != 0 || !slices.Contains(q.places, delivered.Place{Namespace: "n-00000", Name: "regcred"}) {
		t.Errorf("%d hold it, looked at: %v", g.r.ledger.holding("company"), q.places)
	}
}

// added notes what is added to a queue.
type added struct {
	queue
	places []delivered.Place
}

func (a *added) Add(place delivered.Place) { a.places = append(a.places, place) }

// strict is a manager that takes no two controllers of one name.
type strict struct{ ctrl.Manager }

func (strict) GetControllerOptions() config.Controller { return config.Controller{} }

// uncounted are names of which no caches are given.
type uncounted struct{ everyName }

func (uncounted) Each(func(cache.Cache) error) error { return errAway }

func TestAControllerThatCannotBeMadeIsAnError(t *testing.T) {
	g := newRig(t, 1)
	mgr := manager.New(t, g.c.(client.WithWatch))
	if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}, &wakeup.Notifier{}); err != nil {
		t.Fatal(err)
	}
	for _, names := range []*Named{&g.r.Secrets, &g.r.ServiceAccounts} {
		before := *names
		*names = uncounted{everyName{g.c}}
		if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}, &wakeup.Notifier{}); !errors.Is(err, errAway) {
			t.Errorf("%v", err)
		}
		*names = before
	}
	var err error
	for range 2 {
		err = g.r.SetupWithManager(strict{manager.New(t, g.c.(client.WithWatch))}, &wakeup.Notifier{}, &wakeup.Notifier{})
	}
	if err == nil || !strings.Contains(err.Error(), "delivery already exists") {
		t.Errorf("a second one of the name: %v", err)
	}
}
