package delivery

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// cached are all objects of a cache, whatever their names.
type cached struct {
	everyName
	from cache.Cache
}

func (c cached) Each(visit func(cache.Cache) error) error { return visit(c.from) }

func TestWhatHasAPlaceLookedAt(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	mgr, changed := manager.New(t, g.c.(client.WithWatch)), &wakeup.Notifier{}
	all := cached{everyName{g.c}, mgr.GetCache()}
	g.r.Secrets, g.r.ServiceAccounts = all, all
	if err := g.r.SetupWithManager(mgr, changed, &wakeup.Notifier{}); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	attached := func(namespace string) bool {
		var account corev1.ServiceAccount
		return g.c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "default"}, &account) == nil && lists(&account, "regcred")
	}
	manager.Await(t, "the Secrets are there at the start", func() bool { return g.having(2, `"one"`) == 2 && attached("n-00000") && attached("n-00001") })
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	changed.Notify("company")
	manager.Await(t, "a new value is everywhere", func() bool { return g.having(2, `"two"`) == 2 })
	for _, object := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "n-00002", Name: "default"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n-00002", UID: "new", Labels: map[string]string{"team": "shop"}}},
	} {
		if err := g.c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	manager.Await(t, "a new namespace has it", func() bool { return g.having(3, `"two"`) == 3 && attached("n-00002") })
	if err := g.c.Delete(t.Context(), g.secret("n-00001")); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "a Secret that was deleted is back", func() bool { return g.having(3, `"two"`) == 3 })
	account := g.account()
	account.ImagePullSecrets = nil
	if err := g.c.Update(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "a ServiceAccount whose list was emptied has it again", func() bool { return attached("n-00000") })
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ServiceAccounts = &[]string{} })
	manager.Await(t, "a spec that changed is carried out", func() bool { return !attached("n-00000") && !attached("n-00001") })
}

// Tools write annotations and finalizers as often as they like: all places would be looked at again for each of them.
func TestWhatConcernsNoPlaceHasNoneLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, 1, credential("company", "r.example"))
		g.publish(record(t, "company", "1-x", "one", "r.example"))
		var looks atomic.Int32
		g.r.Now = func() time.Time { looks.Add(1); return g.now }
		mgr := manager.New(t, g.c.(client.WithWatch))
		all := cached{everyName{g.c}, mgr.GetCache()}
		g.r.Secrets, g.r.ServiceAccounts = all, all
		if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}, &wakeup.Notifier{}); err != nil {
			t.Fatal(err)
		}
		manager.Start(t, mgr)
		manager.Await(t, "the namespace is served", func() bool { return g.having(1, `"one"`) == 1 && lists(g.account(), "regcred") })
		settled := func() int32 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			return looks.Load()
		}
		for what, object := range map[string]client.Object{"a RegistryCredential": g.company(), "a namespace": g.namespace(), "a ServiceAccount": g.account()} {
			before := settled()
			object.SetFinalizers([]string{"theirs.example/x"})
			if err := g.c.Update(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			if settled() != before {
				t.Errorf("places are looked at though nothing of %s concerns them", what)
			}
		}
		before := settled()
		g.edit(func(*v1alpha1.RegistryCredential) {})
		if settled() == before {
			t.Error("no place is looked at after a change of a spec")
		}
	})
}

// What happens seldom is missed by nobody where it is not listened to.
func TestAllThatHasAPlaceLookedAtIsListenedTo(t *testing.T) {
	g := newRig(t, 1)
	watches, err := g.r.watches(manager.New(t, g.c.(client.WithWatch)), &wakeup.Notifier{}, &wakeup.Notifier{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"newly published values", "values that are accepted", "a timer"} {
		if !slices.ContainsFunc(watches, func(one source.TypedSource[delivered.Place]) bool { return fmt.Sprint(one) == name }) {
			t.Errorf("nobody listens to %s", name)
		}
	}
}

// priorities notes with which priority places are asked for.
type priorities struct {
	priorityqueue.PriorityQueue[delivered.Place]
	asked map[delivered.Place]int
}

func (p priorities) AddWithOpts(options priorityqueue.AddOpts, places ...delivered.Place) {
	for _, place := range places {
		p.asked[place] = ptr.Deref(options.Priority, -1)
	}
}

// Somebody waits for a new namespace, and for pods that are stuck; nobody does for what is believed to be right.
func TestWhoComesFirst(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	place := func(namespace string) delivered.Place { return delivered.Place{Namespace: namespace, Name: "regcred"} }
	asked := func(do func(q queue)) map[delivered.Place]int {
		q := priorities{asked: map[delivered.Place]int{}}
		do(q)
		return q.asked
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n-00001"}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "n-00001", Name: "default"}}
	accepted := func(q queue) {
		proven := &wakeup.Notifier{}
		if err := g.r.onProven(proven).Start(t.Context(), q); err != nil {
			t.Error(err)
		}
		proven.Notify("company")
	}
	for _, test := range []struct {
		name string
		do   func(q queue)
		want map[delivered.Place]int
	}{
		{"a new namespace", func(q queue) {
			g.r.urgently().Create(t.Context(), event.TypedCreateEvent[*corev1.Namespace]{Object: namespace}, q)
		}, map[delivered.Place]int{place("n-00001"): urgent}},
		{"a namespace that was there at the start", func(q queue) {
			g.r.urgently().Create(t.Context(), event.TypedCreateEvent[*corev1.Namespace]{Object: namespace, IsInInitialList: true}, q)
		}, map[delivered.Place]int{place("n-00001"): last}},
		{"new labels", func(q queue) {
			g.r.urgently().Update(t.Context(), event.TypedUpdateEvent[*corev1.Namespace]{ObjectOld: namespace, ObjectNew: namespace}, q)
		}, map[delivered.Place]int{place("n-00001"): urgent}},
		{"a namespace that went", func(q queue) {
			g.r.urgently().Delete(t.Context(), event.TypedDeleteEvent[*corev1.Namespace]{Object: namespace}, q)
		}, map[delivered.Place]int{place("n-00001"): normal}},
		{"a ServiceAccount that comes after its namespace", func(q queue) {
			g.r.onAccount().Create(t.Context(), event.TypedCreateEvent[*corev1.ServiceAccount]{Object: account}, q)
		}, map[delivered.Place]int{place("n-00001"): urgent}},
		{"a ServiceAccount that was there at the start", func(q queue) {
			g.r.onAccount().Create(t.Context(), event.TypedCreateEvent[*corev1.ServiceAccount]{Object: account, IsInInitialList: true}, q)
		}, map[delivered.Place]int{place("n-00001"): last}},
		{"a ServiceAccount that was changed", func(q queue) {
			g.r.onAccount().Update(t.Context(), event.TypedUpdateEvent[*corev1.ServiceAccount]{ObjectOld: account, ObjectNew: account}, q)
		}, map[delivered.Place]int{place("n-00001"): normal}},
		{"a ServiceAccount that went", func(q queue) {
			g.r.onAccount().Delete(t.Context(), event.TypedDeleteEvent[*corev1.ServiceAccount]{Object: account}, q)
		}, map[delivered.Place]int{place("n-00001"): normal}},
		{"a spec", func(q queue) {
			g.r.onCredential().Create(t.Context(), event.TypedCreateEvent[*v1alpha1.RegistryCredential]{Object: credential("company", "r.example")}, q)
		}, map[delivered.Place]int{place("n-00000"): normal, place("n-00001"): normal}},
		{"a new value, where pods are stuck in one", func(q queue) {
			g.r.Pods = podcounts.New(func(string) {})
			g.r.Pods.Note(types.NamespacedName{Namespace: "n-00001", Name: "web"}, "company")
			changed := &wakeup.Notifier{}
			if err := g.r.onChange(changed).Start(t.Context(), q); err != nil {
				t.Error(err)
			}
			changed.Notify("company")
			changed.Notify("gone")
		}, map[delivered.Place]int{place("n-00000"): normal, place("n-00001"): urgent}},
		{"a value that is accepted at last, where one place lacks something", func(q queue) {
			right := delivered.Delivery{Selected: true, Observed: 1}
			waits := right
			waits.Reason = v1alpha1.ReasonForeignSecret
			g.r.Board.Post(place("n-00000"), map[string]delivered.Delivery{"company": right})
			g.r.Board.Post(place("n-00001"), map[string]delivered.Delivery{"company": waits})
			accepted(q)
		}, map[delivered.Place]int{place("n-00001"): urgent}},
		{"a value that is accepted at last, where nobody looked at one place", func(q queue) {
			g.r.Board.Post(place("n-00001"), map[string]delivered.Delivery{"company": {Selected: true, Observed: 1}})
			g.r.Board.Post(place("n-00000"), nil)
			accepted(q)
		}, map[delivered.Place]int{place("n-00000"): normal}},
	} {
		got := asked(test.do)
		for at, priority := range test.want {
			if found, there := got[at]; !there || found != priority || len(got) != len(test.want) {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
		}
	}
	plain := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[delivered.Place]())
	defer plain.ShutDown()
	if enqueue(plain, urgent, place("a"), place("b")); plain.Len() != 2 {
		t.Errorf("a queue without priorities has %d places", plain.Len())
	}
}

func TestOfARegistryCredentialThatIsGoneNothingIsRemembered(t *testing.T) {
	g, _ := delivers(t, nil)
	company := credential("company", "r.example")
	q := priorities{asked: map[delivered.Place]int{}}
	g.r.onCredential().Delete(t.Context(), event.TypedDeleteEvent[*v1alpha1.RegistryCredential]{Object: company}, q)
	if len(q.asked) != 1 {
		t.Errorf("looked at are %v", q.asked)
	}
	if len(g.r.Board.Places("company")) > 0 || len(g.r.selectors.m) > 0 || len(g.r.keepers.m) > 0 {
		t.Errorf("remembered: %v, %v, %v", g.r.Board.Places("company"), g.r.selectors.m, g.r.keepers.m)
	}
}

// One that was deleted and created again while no watch stood comes as a change.
func TestOfTheOneBeforeNothingIsRemembered(t *testing.T) {
	g, _ := delivers(t, nil)
	company, again := credential("company", "r.example"), credential("company", "r.example")
	again.UID, again.Spec.Target.NamespaceSelector.MatchLabels = "again", map[string]string{"team": "nobody"}
	g.r.Board.Remove("company")
	for _, test := range []struct {
		name      string
		now       *v1alpha1.RegistryCredential
		remembers bool
	}{{"the same", company, true}, {"another one", again, false}} {
		q := priorities{asked: map[delivered.Place]int{}}
		g.r.onCredential().Update(t.Context(), event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: company, ObjectNew: test.now}, q)
		known, _ := g.r.Board.At(first, "company")
		if _, asked := q.asked[first]; !asked || (known.Revision != "") != test.remembers || known.Selected != test.remembers {
			t.Errorf("%s: looked at are %v, known is %+v", test.name, q.asked, known)
		}
	}
	if counted := g.r.Board.TakeRemoved("company"); counted != 0 {
		t.Errorf("%d namespaces are said to have lost it, which lost the one before", counted)
	}
}

func TestWhichChangesHaveAPlaceLookedAt(t *testing.T) {
	now := ptr.To(metav1.Now())
	type change[T any] struct {
		name string
		do   func(T)
		want bool
	}
	for _, c := range []change[*v1alpha1.RegistryCredential]{
		{"nothing", func(*v1alpha1.RegistryCredential) {}, false},
		{"the spec", func(o *v1alpha1.RegistryCredential) { o.Generation++ }, true},
		{"another object of the name", func(o *v1alpha1.RegistryCredential) { o.UID = "other" }, true},
		{"an annotation, such as a confirmation", func(o *v1alpha1.RegistryCredential) { o.Annotations = map[string]string{"a": "b"} }, true},
		{"a request to read the source", func(o *v1alpha1.RegistryCredential) {
			o.Annotations = map[string]string{v1alpha1.RefreshRequestedAtAnnotation: "b"}
		}, false},
		{"its deletion", func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = now }, true},
		{"its status", func(o *v1alpha1.RegistryCredential) { o.Status.ObservedGeneration = 7 }, false},
	} {
		before, after := credential("company", "r.example"), credential("company", "r.example")
		c.do(after)
		if got := onSpec().Update(event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: before, ObjectNew: after}); got != c.want {
			t.Errorf("of a RegistryCredential, %s: %t", c.name, got)
		}
	}
	for _, c := range []change[*corev1.Namespace]{
		{"nothing", func(*corev1.Namespace) {}, false},
		{"a label", func(o *corev1.Namespace) { o.Labels = map[string]string{"a": "b"} }, true},
		{"another object of the name", func(o *corev1.Namespace) { o.UID = "other" }, true},
		{"its deletion", func(o *corev1.Namespace) { o.DeletionTimestamp = now }, true},
		{"an annotation", func(o *corev1.Namespace) { o.Annotations = map[string]string{"a": "b"} }, false},
	} {
		before, after := &corev1.Namespace{}, &corev1.Namespace{}
		c.do(after)
		if got := onLabels().Update(event.TypedUpdateEvent[*corev1.Namespace]{ObjectOld: before, ObjectNew: after}); got != c.want {
			t.Errorf("of a namespace, %s: %t", c.name, got)
		}
	}
	for _, c := range []change[*corev1.ServiceAccount]{
		{"nothing", func(*corev1.ServiceAccount) {}, false},
		{"its list", func(o *corev1.ServiceAccount) { o.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "a"}} }, true},
		{"another object of the name", func(o *corev1.ServiceAccount) { o.UID = "other" }, true},
		{"what regcred noted there", func(o *corev1.ServiceAccount) { o.Annotations = map[string]string{v1alpha1.AttachedAnnotation: "{}"} }, true},
		{"another annotation", func(o *corev1.ServiceAccount) { o.Annotations = map[string]string{"a": "b"} }, false},
	} {
		before, after := &corev1.ServiceAccount{}, &corev1.ServiceAccount{}
		c.do(after)
		if got := onAttachment().Update(event.TypedUpdateEvent[*corev1.ServiceAccount]{ObjectOld: before, ObjectNew: after}); got != c.want {
			t.Errorf("of a ServiceAccount, %s: %t", c.name, got)
		}
	}
	if got := collect(map[delivered.Place]bool{{Namespace: "a"}: true}); !slices.Equal(got, []delivered.Place{{Namespace: "a"}}) {
		t.Errorf("%v", got)
	}
}
