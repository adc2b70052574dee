package credential

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// steady gives the same value at each read, and counts.
type steady struct{ reads atomic.Int32 }

func (s *steady) Read(context.Context, source.Request) (source.Snapshot, error) {
	began := time.Now() // before it is counted: what a test tells after it saw the count is told after the read
	s.reads.Add(1)
	value, err := dockerconfig.NewCredential("robot", "secret")
	return source.Snapshot{Config: dockerconfig.Config{"r.example": value}, Revision: "1", ReadTime: began}, err
}

func TestWhatHasARegistryCredentialLookedAt(t *testing.T) {
	r, object := reporting(t, 2, 1)
	cluster, source1, news := r.Client.(client.WithWatch), &steady{}, &wakeup.Notifier{}
	known := r.Store.Get(object.Name)
	left := known
	left.Credential = "gone" // its object was deleted while nobody watched
	r.Store = records.NewStore(keeping(t, known, left), "regcred-system", func(string) {})
	r.Source, r.Now = source1, time.Now
	mgr := manager.New(t, cluster)
	if err := r.SetupWithManager(mgr, news); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	reads := func(count int32) func() bool { return func() bool { return source1.reads.Load() >= count } }
	manager.Await(t, "the source is read at the start", reads(1))
	manager.Await(t, "the record of one that is gone goes", func() bool { return r.Store.Get("gone").Credential == "" })
	manager.Await(t, "the status is written", func() bool { return stored(t, r, object.Name).Status.Pods != nil })

	r.Pods.Note(types.NamespacedName{Namespace: "n-00000", Name: "other"}, object.Name)
	news.Notify(object.Name)
	manager.Await(t, "one more pod is told of", func() bool { return stored(t, r, object.Name).Status.Pods.Stuck == 3 })

	connection := &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: object.Spec.Source.Vault.ConnectionName(), Generation: 1}}
	before := source1.reads.Load()
	if err := cluster.Create(t.Context(), connection); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "a connection that came is read through", reads(before+1))
	before = source1.reads.Load()
	connection.Generation = 2
	if err := cluster.Update(t.Context(), connection); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "a connection that changed is read through", reads(before+1))

	before = source1.reads.Load()
	r.SourceNews.Tell(source.News{Place: source.PlaceOf(&object.Spec), Time: time.Now()})
	manager.Await(t, "what the source told of is read", reads(before+1))

	if err := cluster.Delete(t.Context(), stored(t, r, object.Name)); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "of one that was deleted there is no record", func() bool { return r.Store.Get(object.Name).Credential == "" })
}

// It is written once a minute while Vault is away.
func TestTheStatusOfAConnectionHasNoSourceReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, object := reporting(t, 1, 1)
		cluster, vault := r.Client.(client.WithWatch), &steady{}
		r.Source, r.Now = vault, time.Now
		connection := &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: object.Spec.Source.Vault.ConnectionName(), Generation: 1}}
		if err := cluster.Create(t.Context(), connection); err != nil {
			t.Fatal(err)
		}
		mgr := manager.New(t, cluster)
		if err := r.SetupWithManager(mgr, &wakeup.Notifier{}); err != nil {
			t.Fatal(err)
		}
		manager.Start(t, mgr)
		manager.Await(t, "the source is read at the start", func() bool { return vault.reads.Load() > 0 })
		for _, step := range []struct {
			what   string
			change func()
			read   bool
		}{
			{"another status", func() { connection.Status.ServerVersion = "2.0.0" }, false},
			{"another spec", func() { connection.Generation++ }, true},
		} {
			time.Sleep(10 * time.Second) // until what came before is done
			synctest.Wait()
			before := vault.reads.Load()
			step.change()
			if err := cluster.Update(t.Context(), connection); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if read := vault.reads.Load() > before; read != step.read {
				t.Errorf("%s: the source is read again: %t", step.what, read)
			}
		}
	})
}

// What happens seldom is missed by nobody where it is not listened to.
func TestAllThatHasARegistryCredentialLookedAtIsListenedTo(t *testing.T) {
	r, _ := reporting(t, 1, 1)
	r.SourceNews = &News{}
	var names []string
	for _, one := range r.watches(manager.New(t, r.Client.(client.WithWatch)), &wakeup.Notifier{}) {
		names = append(names, fmt.Sprint(one))
	}
	for _, want := range []string{"changed deliveries, stuck pods and answers of registries", "news of sources", "a machine that slept", "records that were kept, once"} {
		if !slices.Contains(names, want) {
			t.Errorf("nobody listens to %s", want)
		}
	}
}

func TestWhichChangesHaveARegistryCredentialLookedAt(t *testing.T) {
	now := ptr.To(metav1.Now())
	for _, c := range []struct {
		name   string
		change func(*v1alpha1.RegistryCredential)
		want   bool
	}{
		{"nothing", func(*v1alpha1.RegistryCredential) {}, false},
		{"its spec", func(o *v1alpha1.RegistryCredential) { o.Generation++ }, true},
		{"an annotation, by which people ask", func(o *v1alpha1.RegistryCredential) { o.Annotations = map[string]string{"a": "b"} }, true},
		{"it was deleted and created again while no watch stood", func(o *v1alpha1.RegistryCredential) { o.UID = "another" }, true},
		{"its deletion", func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = now }, true},
		{"a finalizer that somebody took", func(o *v1alpha1.RegistryCredential) { o.Finalizers = []string{"a"} }, true},
		{"its status, which is regcred's own", func(o *v1alpha1.RegistryCredential) { o.Status.ObservedGeneration = 7 }, false},
		{"a label", func(o *v1alpha1.RegistryCredential) { o.Labels = map[string]string{"a": "b"} }, false},
	} {
		before, after := reported("a"), reported("a")
		c.change(after)
		if got := notStatus().Update(event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: before, ObjectNew: after}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	for initial, want := range map[bool]bool{true: false, false: true} {
		if got := notThereBefore().Create(event.TypedCreateEvent[*v1alpha1.VaultConnection]{Object: &v1alpha1.VaultConnection{}, IsInInitialList: initial}); got != want {
			t.Errorf("a connection in the first list (%t) has its readers read again: %t", initial, got)
		}
	}
	if got := placesIn(&corev1.Pod{}); got != nil {
		t.Errorf("a pod reads %q", got)
	}
}

func TestWhoReadsThroughAConnectionIsReadAgain(t *testing.T) {
	r, object := reporting(t, 1, 2)
	got := r.usersOf(t.Context(), &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: object.Spec.Source.Vault.ConnectionName()}})
	if len(got) != 2 || got[0].Name != "c-00" || got[1].Name != "c-01" {
		t.Errorf("%v", got)
	}
	if _, nudge := r.memories.of(object, r.Now()); !nudge.woken.Equal(r.Now()) {
		t.Errorf("woken at %s", nudge.woken)
	}
	if got := r.usersOf(t.Context(), &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "other"}}); len(got) > 0 {
		t.Errorf("of another connection: %v", got)
	}
}
