package records

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	v1 "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/test/inmemory"
)

// versioned answers writes of Secrets as an API server does: each has a version, and one that was made of an older one is refused.
type versioned struct {
	mu      sync.Mutex
	version int
	kept    *corev1.Secret
}

func (v *versioned) write(secret *corev1.Secret) (bool, apiruntime.Object, error) {
	runtime.Gosched() // let others come in between
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept != nil && secret.ResourceVersion != v.kept.ResourceVersion {
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, secret.Name, fmt.Errorf("it is at %d", v.version))
	}
	v.version++
	v.kept = secret.DeepCopy()
	v.kept.ResourceVersion = strconv.Itoa(v.version)
	return true, v.kept.DeepCopy(), nil
}

func (v *versioned) store() *Store {
	clientset := inmemory.Clientset()
	clientset.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, apiruntime.Object, error) {
		return v.write(action.(clienttesting.CreateAction).GetObject().(*corev1.Secret))
	})
	clientset.PrependReactor("update", "secrets", func(action clienttesting.Action) (bool, apiruntime.Object, error) {
		return v.write(action.(clienttesting.UpdateAction).GetObject().(*corev1.Secret))
	})
	return NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
}

// A write that takes long holds up no other RegistryCredential.
func TestASlowWriteOfOneHoldsUpNoOther(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	slow := NewStore(waiting{inmemory.Clientset().CoreV1(), arrived, answer}, "regcred-system", func(string) {})
	other := record(t)
	other.Credential = "another"
	var group errgroup.Group
	group.Go(func() error { return slow.Save(t.Context(), record(t)) })
	<-arrived
	group.Go(func() error { return slow.Save(t.Context(), other) })
	<-arrived // the second is on its way while nobody answered the first
	close(answer)
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// waiting are Secrets of which each creation tells that it arrived, and waits for its answer.
type waiting struct {
	v1.CoreV1Interface
	arrived chan<- struct{}
	answer  <-chan struct{}
}

func (w waiting) Secrets(namespace string) v1.SecretInterface {
	return waitingSecrets{w.CoreV1Interface.Secrets(namespace), w}
}

type waitingSecrets struct {
	v1.SecretInterface
	waiting
}

func (w waitingSecrets) Create(ctx context.Context, secret *corev1.Secret, options metav1.CreateOptions) (*corev1.Secret, error) {
	w.arrived <- struct{}{}
	<-w.answer
	return w.SecretInterface.Create(ctx, secret, options)
}

// Whatever workers do at the same time, the race detector must find nothing.
func TestManyWorkersUseOneStore(t *testing.T) {
	for range 8 {
		server := newServer()
		store := NewStore(server.client(), "regcred-system", func(string) {})
		other := newServer() // it has answers of another leader: each write of one is refused
		other.refuse["update"] = apierrors.NewNotFound(resource, "gone")
		refused := NewStore(other.client(), "regcred-system", func(string) {})
		newer := newServer()
		newer.put(fromTheFuture(t, newerMemos["with a field more"]))
		alone := NewStore(newer.client(), "regcred-system", func(string) {})
		if err := alone.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		var group errgroup.Group
		for _, name := range []string{"a", "b", "c", "d"} {
			group.Go(func() error { return useAll(t.Context(), store, name, record(t)) })
			group.Go(func() error {
				_, _ = refused.Save(t.Context(), named(t, name)), refused.Save(t.Context(), named(t, name))
				return nil
			})
			group.Go(func() error {
				_, _ = alone.LookAgain(t.Context(), "company"), alone.Save(t.Context(), named(t, "company"))
				_ = alone.Get(name)
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func named(t testing.TB, credential string) Record {
	one := record(t)
	one.Credential = credential
	return one
}

// useAll does with one RegistryCredential whatever controllers do.
func useAll(ctx context.Context, store *Store, name string, one Record) error {
	one.Credential = name
	err := errors.Join(store.Load(ctx), store.Save(ctx, one), store.KeepRemovals(ctx, name, removal.State{UID: "uid-1"}))
	if got := store.Get(name); !got.Published() || store.Removals(name).UID == "" || store.LeftAlone(name) != nil || len(store.All()) == 0 {
		err = errors.Join(err, fmt.Errorf("%s is not kept: %+v", name, got))
	}
	return errors.Join(err, store.LookAgain(ctx, name), store.Forget(ctx, name))
}

// Two controllers write what is kept of one RegistryCredential: the value, and what is known of removals.
func TestAKeptRemovalAndASavedValueLoseNothingOfEachOther(t *testing.T) {
	for round := range 50 {
		v := &versioned{}
		store, want := v.store(), record(t)
		var group errgroup.Group
		group.Go(func() error {
			for i := range 4 {
				next := want
				next.Revision = fmt.Sprint(i)
				if err := store.Save(context.Background(), next); err != nil {
					return err
				}
			}
			return nil
		})
		group.Go(func() error {
			for serial := range 4 {
				if err := store.KeepRemovals(context.Background(), want.Credential, removal.State{UID: types.UID("uid-1"), Serial: serial}); err != nil {
					return err
				}
			}
			return nil
		})
		if err := group.Wait(); err != nil {
			t.Fatalf("round %d: one of two writers was refused: %v", round, err)
		}
		after, err := decode(v.kept)
		if err != nil || after.Revision != "3" || removalsIn(v.kept).Serial != 3 {
			t.Fatalf("round %d: kept are revision %q and removal %d, want 3 and 3: %v", round, after.Revision, removalsIn(v.kept).Serial, err)
		}
	}
}
