package bench

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	kept "regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/inmemory"
	"regcred.dev/regcred/test/manager"
)

var deliveries = flag.Int("deliveries", 0, "how many Secrets TestSoak has written: 1000000 for a soak; a short one where it is not given")

// soak is the delivery controller beside Secrets in memory.
type soak struct {
	t           *testing.T
	api         *inMemory
	cluster     client.WithWatch
	store       *records.Store
	records     *fake.Clientset
	namespaces  int
	credentials []*v1alpha1.RegistryCredential
	revision    int
}

// all reads the Secrets and ServiceAccounts of a cache whatever their names.
type all struct{ cache.Cache }

func (a all) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	return a.Cache.Get(ctx, key, into, client.UnsafeDisableDeepCopy)
}

func (a all) List(ctx context.Context, namespace string, into client.ObjectList, visit func()) error {
	if err := a.Cache.List(ctx, into, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	visit()
	return nil
}

func (all) Allowed(string) bool                        { return true }
func (all) Names() []string                            { return []string{secretName} }
func (a all) Each(visit func(cache.Cache) error) error { return visit(a.Cache) }

// startSoak has so many RegistryCredentials deliver to so many namespaces. Each namespace is selected by share of them.
func startSoak(t *testing.T, namespaces, credentials, share int) *soak {
	t.Helper()
	s := &soak{t: t, api: newInMemory(0), namespaces: namespaces, records: inmemory.Clientset()}
	s.records.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, k8sruntime.Object, error) {
		action.(clienttesting.CreateAction).GetObject().(*corev1.Secret).ResourceVersion = "1" // as a server does
		return false, nil, nil
	})
	var objects []client.Object
	groups := credentials / share
	for i := range namespaces {
		objects = append(objects, s.namespace(i, groups, "first"))
	}
	for i := range credentials {
		one := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: credentialName(i), UID: types.UID(credentialName(i)), Generation: 1}}
		one.Spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(credentialName(i) + ".example.com")}
		one.Spec.Target.ServiceAccounts = &[]string{}
		one.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"group": fmt.Sprint(i % groups)}}
		s.credentials, objects = append(s.credentials, one), append(objects, one)
	}
	s.cluster = s.api.before(inmemory.Cluster().WithObjects(objects...).Build())
	mgr, changed := manager.New(t, s.cluster), &wakeup.Notifier{}
	s.store = records.NewStore(s.records.CoreV1(), system, changed.Notify)
	reader := all{mgr.GetCache()}
	r := &delivery.Reconciler{
		Cluster: mgr.GetClient(), Writer: s.cluster, Secrets: reader, ServiceAccounts: reader, Store: s.store,
		Board: delivered.NewBoard(func(string) {}), Now: time.Now,
	}
	must(t, s.store.Load(t.Context()))
	must(t, r.SetupWithManager(mgr, changed, &wakeup.Notifier{}))
	_, err := mgr.GetCache().GetInformer(t.Context(), &v1alpha1.RegistryCredential{})
	must(t, err)
	manager.Start(t, mgr)
	return s
}

func (s *soak) namespace(i, groups int, uid string) *corev1.Namespace {
	name := fmt.Sprintf("team-%05d", i)
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid + name), Labels: map[string]string{"group": fmt.Sprint(i % groups)}}}
}

// rotate publishes a new value of every RegistryCredential, and returns when every namespace that is there has it, in each of share entries.
func (s *soak) rotate(share int) {
	s.t.Helper()
	s.revision++
	password := fmt.Sprintf("password-%d-", s.revision)
	entry, err := dockerconfig.NewCredential("robot", password)
	must(s.t, err)
	var group sync.WaitGroup
	for _, one := range s.credentials {
		group.Go(func() {
			config := dockerconfig.Config{string(one.Spec.Registries[0]): entry}
			value := kept.Kept{Value: kept.Value{Config: config, Revision: fmt.Sprint(s.revision), Digest: password, Use: kept.Use{Generation: one.Generation}}}
			if err := s.store.Save(context.Background(), records.Record{Credential: one.Name, UID: one.UID, Kept: value}); err != nil {
				s.t.Error(err)
			}
		})
	}
	group.Wait()
	s.records.ClearActions() // it keeps them all
	await(s.t, 5*time.Minute, func() error { return s.lack(password, share) })
}

// lack names a namespace that has not got the password in so many entries.
func (s *soak) lack(password string, share int) error {
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	for i := range s.namespaces {
		name := fmt.Sprintf("team-%05d", i)
		secret := s.api.secrets[types.NamespacedName{Namespace: name, Name: secretName}]
		if s.api.gone[name] {
			continue
		}
		if secret == nil {
			return fmt.Errorf("%s has no Secret", name)
		}
		if got := strings.Count(string(secret.Data[corev1.DockerConfigJsonKey]), `"password":"`+password); got != share {
			return fmt.Errorf("%s has %s in %d entries, want %d", name, password, got, share)
		}
	}
	return nil
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestSoak has Secrets written for long, while a sixth of the writes fail and namespaces come and go: none is lost, and memory does not
// grow beyond what is remembered within bounds.
func TestSoak(t *testing.T) {
	const namespaces, away, short = 1000, 20, 10_000
	s := startSoak(t, namespaces, 1, 1)
	s.rotate(1)
	s.api.faulty = 1.0 / 6
	begun, first, rounds := time.Now(), uint64(0), 0
	for ; s.written() < max(*deliveries, short); rounds++ {
		for i := range away {
			gone := s.namespace((rounds*away+i)%namespaces, 1, "")
			must(t, s.cluster.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gone.Name}}))
			s.api.end(gone.Name, true)
		}
		s.rotate(1)
		for i := range away {
			back := s.namespace((rounds*away+i)%namespaces, 1, fmt.Sprint(rounds))
			s.api.end(back.Name, false)
			must(t, s.cluster.Create(t.Context(), back))
		}
		if rounds == 1 {
			first = live()
		}
	}
	s.rotate(1)
	last := live()
	t.Logf("%d Secrets were written in %d rotations and %s; faults: %v; live heap %s, at first %s", s.written(), rounds, time.Since(begun).Round(time.Second),
		s.api.faults, mib(int64(last)), mib(int64(first)))
	for _, kind := range []string{"error", "too many requests", "conflict", "answer lost"} {
		if s.api.faults[kind] == 0 {
			t.Errorf("there was no fault of kind %q, so that this test finds nothing", kind)
		}
	}
	// What pure functions gave is remembered within bounds: by internal/dockerconfig and internal/pullsecret, four times at most 4 MiB. Each
	// rotation fills some of that, and a leak of 20 bytes for each write is more after a million.
	const remembered = 16 << 20
	if allowed := first + first/10 + remembered; last > allowed {
		t.Errorf("the live heap grew from %s to %s", mib(int64(first)), mib(int64(last)))
	}
}

func (s *soak) written() int {
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	return s.api.writes
}

// TestManyCredentials: what holds of one RegistryCredential holds of a thousand, and of fifty in one Secret. Without -deliveries there are a tenth.
func TestManyCredentials(t *testing.T) {
	for _, test := range []struct {
		name                           string
		namespaces, credentials, share int
	}{
		{"1000 RegistryCredentials, 2000 namespaces", 2000, 1000, 1},
		{"50 in one Secret", 2000, 50, 50},
	} {
		if *deliveries == 0 {
			test.namespaces, test.credentials = test.namespaces/10, max(test.credentials/10, test.share)
		}
		t.Run(test.name, func(t *testing.T) {
			s := startSoak(t, test.namespaces, test.credentials, test.share)
			s.rotate(test.share)
			before, begun := s.written(), time.Now()
			s.rotate(test.share)
			took, writes := time.Since(begun), s.written()-before
			t.Logf("a rotation of all: %s, %d writes for %d Secrets; live heap %s", took.Round(time.Millisecond), writes, test.namespaces, mib(int64(live())))
			if most := test.namespaces * min(test.share, 25); writes > most {
				t.Errorf("%d writes for %d Secrets, want %d at most", writes, test.namespaces, most)
			}
		})
	}
}
