package recovery

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// counted are the objects of a cache, and how often one is read.
type counted struct {
	everyName
	from  cache.Cache
	reads *atomic.Int32
}

func (c counted) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	c.reads.Add(1)
	return c.everyName.Get(ctx, key, into)
}

func (c counted) Each(visit func(cache.Cache) error) error { return visit(c.from) }

// started is a cache that somebody else starts.
type started struct{ cache.Cache }

func (started) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// countedLists holds no pods, and counts how often it is asked.
type countedLists struct{ asked atomic.Int32 }

func (l *countedLists) Each(_ context.Context, _, selector string, _ func(podlist.Pod) bool) (bool, error) {
	if selector == "status.phase=Running" {
		l.asked.Add(1)
	}
	return false, nil
}

func TestWhatHasAStuckPodLookedAt(t *testing.T) {
	r := stuckCluster(t, 1, 1)
	cluster := r.Writer.(client.WithWatch)
	stuck := thePod(t, cluster)
	stuck.Spec.ServiceAccountName = "default" // as the API server has it
	if err := cluster.Update(t.Context(), stuck); err != nil {
		t.Fatal(err)
	}
	mgr, lists, reads := manager.New(t, cluster), &countedLists{}, &atomic.Int32{}
	changed, written := &wakeup.Notifier{}, &wakeup.Notifier{}
	r.Pods, r.Lists = started{mgr.GetCache()}, lists
	r.Secrets = counted{everyName{cluster}, mgr.GetCache(), reads}
	r.ServiceAccounts = counted{everyName{cluster}, mgr.GetCache(), &atomic.Int32{}}
	r.Tally.Note(types.NamespacedName{Namespace: "n-00000", Name: "runs"}, "c-00") // a bad value is replaced where pods hung for it
	if err := r.SetupWithManager(mgr, changed, written); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	looked := func(what string, before int32) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); reads.Load() == before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the pod is not looked at: %s", what)
			}
		}
		for last := int32(0); last != reads.Load(); { // until nothing of it is left
			last = reads.Load()
			time.Sleep(restAfterWake + collect)
		}
	}
	looked("the start", 0)
	manager.Await(t, "running pods are looked at after the start", func() bool { return lists.asked.Load() == 1 })
	change := func(object client.Object, key client.ObjectKey, do func()) {
		t.Helper()
		if err := cluster.Get(t.Context(), key, object); err != nil {
			t.Fatal(err)
		}
		do()
		if err := cluster.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	var credential v1alpha1.RegistryCredential
	var namespace corev1.Namespace
	var secret corev1.Secret
	var account corev1.ServiceAccount
	place := client.ObjectKey{Namespace: "n-00000", Name: "regcred"}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a value is published", func() { changed.Notify("c-00") }},
		{"another one is published, and nothing is delivered yet", func() { changed.Notify("c-00") }},
		{"it is delivered", func() {
			r.Board.Post(delivered.Place(place), map[string]delivered.Delivery{"c-00": {Selected: true, Version: delivered.Version{Revision: "2"}, Generation: 1, Observed: 1}})
			written.Notify("c-00")
		}},
		{"the spec changes", func() { change(&credential, client.ObjectKey{Name: "c-00"}, func() { credential.Generation++ }) }},
		{"the namespace opts in or out", func() {
			change(&namespace, client.ObjectKey{Name: "n-00000"}, func() { namespace.Annotations = map[string]string{"a": "b"} })
		}},
		{"its Secret changes", func() { change(&secret, place, func() { secret.Labels["a"] = "b" }) }},
		{"its ServiceAccount changes", func() {
			change(&account, client.ObjectKey{Namespace: "n-00000", Name: "default"}, func() { account.Labels = map[string]string{"a": "b"} })
		}},
		{"another pod is stuck", func() {
			pod := inNamespace("n-00000")[1].(*corev1.Pod)
			pod.ObjectMeta = metav1.ObjectMeta{Namespace: "n-00000", Name: "another", UID: "another", CreationTimestamp: pod.CreationTimestamp}
			if err := cluster.Create(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		before := reads.Load()
		step.do()
		looked(step.name, before)
	}
	manager.Await(t, "running pods are looked at after a value took the place of a bad one", func() bool { return lists.asked.Load() >= 2 })
}

// Each look at all of them would cost as much as there are pods that are stuck.
func TestWhatConcernsNoStuckPodHasNoneLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stuckCluster(t, 1, 1)
		cluster := r.Writer.(client.WithWatch)
		mgr, reads, written := manager.New(t, cluster), &atomic.Int32{}, &wakeup.Notifier{}
		r.Pods, r.Lists = started{mgr.GetCache()}, &countedLists{}
		r.Secrets = counted{everyName{cluster}, mgr.GetCache(), reads}
		r.ServiceAccounts = counted{everyName{cluster}, mgr.GetCache(), &atomic.Int32{}}
		if err := r.SetupWithManager(mgr, &wakeup.Notifier{}, written); err != nil {
			t.Fatal(err)
		}
		manager.Start(t, mgr)
		update := func(object client.Object, name string, change func()) func() {
			return func() {
				if err := cluster.Get(t.Context(), client.ObjectKey{Name: name}, object); err != nil {
					t.Fatal(err)
				}
				change()
				if err := cluster.Update(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
		}
		var credential v1alpha1.RegistryCredential
		var namespace corev1.Namespace
		finalizers := []string{"theirs.example/x"}
		for _, step := range []struct {
			what  string
			do    func()
			looks bool
		}{
			{"the start", func() {}, true},
			{"a first delivery", func() { written.Notify("c-00") }, true},
			{"a delivery elsewhere", func() { written.Notify("c-00") }, false},
			{"a finalizer of a RegistryCredential", update(&credential, "c-00", func() { credential.Finalizers = finalizers }), false},
			{"another spec", update(&credential, "c-00", func() { credential.Generation++ }), true},
			{"a finalizer of a namespace", update(&namespace, "n-00000", func() { namespace.Finalizers = finalizers }), false},
			{"another label of a namespace", update(&namespace, "n-00000", func() { namespace.Labels["a"] = "b" }), true},
		} {
			before := reads.Load()
			step.do()
			time.Sleep(2 * (restAfterWake + collect))
			synctest.Wait()
			if looked := reads.Load() > before; looked != step.looks {
				t.Errorf("%s: the pod is looked at: %t", step.what, looked)
			}
		}
	})
}

// A watch that says nothing any more is no reason to look at nothing for ever.
func TestNowAndThenEveryStuckPodIsLookedAt(t *testing.T) {
	r := stuckCluster(t, 2, 1)
	synctest.Test(t, func(t *testing.T) {
		q := &countingQueue{}
		if err := r.onTimer().Start(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		time.Sleep(safetyPass - 1)
		for i, want := range []int32{0, 2, 4} {
			synctest.Wait()
			if got := q.looks.Load(); got != want {
				t.Errorf("after %d passes there were %d looks, want %d", i, got, want)
			}
			time.Sleep(safetyPass)
		}
	})
}

// What happens seldom is missed by nobody where it is not listened to.
func TestAllThatHasAStuckPodLookedAtIsListenedTo(t *testing.T) {
	r := stuckCluster(t, 1, 1)
	watches, err := r.watches(manager.New(t, r.Writer.(client.WithWatch)), &wakeup.Notifier{}, &wakeup.Notifier{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, one := range watches {
		count[fmt.Sprint(one)]++
	}
	for name, want := range map[string]int{
		"changed deliveries or values of RegistryCredentials": 2, "values that take the place of bad ones": 1, "running pods, once": 1, "a timer": 1,
	} {
		if count[name] != want {
			t.Errorf("%s: %d times, want %d", name, count[name], want)
		}
	}
}
