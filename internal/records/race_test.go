package records

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/internal/removal"
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
	clientset := fake.NewClientset()
	clientset.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, apiruntime.Object, error) {
		return v.write(action.(clienttesting.CreateAction).GetObject().(*corev1.Secret))
	})
	clientset.PrependReactor("update", "secrets", func(action clienttesting.Action) (bool, apiruntime.Object, error) {
		return v.write(action.(clienttesting.UpdateAction).GetObject().(*corev1.Secret))
	})
	return NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
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
