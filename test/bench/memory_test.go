package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// inMemory keeps Secrets as an API server does, and answers some writes with faults. It is quick enough for a million of them.
type inMemory struct {
	mu      sync.Mutex
	secrets map[types.NamespacedName]*corev1.Secret
	version int
	changes *watch.Broadcaster
	random  *rand.Rand
	// faulty is the share of writes that fail. writes are those that did not, and faults the others, by kind.
	faulty float64
	writes int
	faults map[string]int
	// gone are the namespaces that are deleted.
	gone map[string]bool
}

var secretsOf = schema.GroupResource{Resource: "secrets"}

func newInMemory(faulty float64) *inMemory {
	return &inMemory{
		secrets: map[types.NamespacedName]*corev1.Secret{}, changes: watch.NewBroadcaster(1000, watch.WaitIfChannelFull),
		random: rand.New(rand.NewPCG(1, 2)), faulty: faulty, faults: map[string]int{}, gone: map[string]bool{},
	}
}

// before has a client's Secrets be these.
func (m *inMemory) before(c client.WithWatch) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if secret, is := into.(*corev1.Secret); is {
				return m.get(key, secret)
			}
			return c.Get(ctx, key, into, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
			if list, is := into.(*corev1.SecretList); is {
				m.list(list)
				return nil
			}
			return c.List(ctx, into, options...)
		},
		Watch: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
			if _, is := into.(*corev1.SecretList); is {
				return m.changes.Watch()
			}
			return c.Watch(ctx, into, options...)
		},
		Apply: func(_ context.Context, _ client.WithWatch, configuration runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
			secret, is := configuration.(*applycorev1.SecretApplyConfiguration)
			if !is {
				return fmt.Errorf("%T is applied", configuration)
			}
			return m.create(secret)
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if secret, is := object.(*corev1.Secret); is {
				return m.update(secret)
			}
			return c.Update(ctx, object, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			if _, is := object.(*corev1.Secret); !is {
				return c.Delete(ctx, object, options...)
			}
			return fmt.Errorf("%s/%s is deleted, and nobody asked for that", object.GetNamespace(), object.GetName())
		},
	})
}

func (m *inMemory) get(key client.ObjectKey, into *corev1.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	secret := m.secrets[key]
	if secret == nil {
		return apierrors.NewNotFound(secretsOf, key.Name)
	}
	secret.DeepCopyInto(into)
	return nil
}

func (m *inMemory) list(into *corev1.SecretList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	into.ResourceVersion = strconv.Itoa(m.version)
	for _, secret := range m.secrets {
		into.Items = append(into.Items, *secret.DeepCopy())
	}
}

// fault answers a write. A lost answer is that of a write that was made.
func (m *inMemory) fault(namespace string) (err error, made bool) {
	if m.gone[namespace] {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, namespace), false
	}
	if m.random.Float64() >= m.faulty {
		return nil, true
	}
	kinds := []struct {
		name string
		err  error
		made bool
	}{
		{"error", apierrors.NewInternalError(errors.New("a fault")), false},
		{"too many requests", apierrors.NewTooManyRequests("busy", 1), false},
		{"conflict", apierrors.NewConflict(secretsOf, "regcred", errors.New("somebody was faster")), false},
		{"answer lost", context.DeadlineExceeded, true},
	}
	one := kinds[m.random.IntN(len(kinds))]
	m.faults[one.name]++
	return one.err, one.made
}

func (m *inMemory) create(a *applycorev1.SecretApplyConfiguration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := types.NamespacedName{Namespace: *a.Namespace, Name: *a.Name}
	if m.secrets[key] != nil {
		return apierrors.NewConflict(secretsOf, key.Name, errors.New("it is there"))
	}
	err, made := m.fault(key.Namespace)
	if !made {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: a.Labels, Annotations: a.Annotations},
		Type:       *a.Type, Data: a.Data,
	}
	secret = secret.DeepCopy()
	m.put(secret, watch.Added)
	secret.UID = types.UID(secret.ResourceVersion)
	a.WithResourceVersion(secret.ResourceVersion)
	return err
}

func (m *inMemory) update(secret *corev1.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(secret)
	before := m.secrets[key]
	switch {
	case before == nil && !m.gone[key.Namespace]:
		return apierrors.NewNotFound(secretsOf, key.Name)
	case before != nil && (before.ResourceVersion != secret.ResourceVersion || before.UID != secret.UID):
		m.faults["older version"]++
		return apierrors.NewConflict(secretsOf, key.Name, errors.New("it has another version"))
	}
	err, made := m.fault(key.Namespace)
	if !made {
		return err
	}
	next := secret.DeepCopy()
	m.put(next, watch.Modified)
	secret.ResourceVersion = next.ResourceVersion
	return err
}

// put stores a Secret and tells of it. The caller holds the mutex.
func (m *inMemory) put(secret *corev1.Secret, event watch.EventType) {
	m.version++
	m.writes++
	secret.ResourceVersion = strconv.Itoa(m.version)
	if secret.UID == "" {
		secret.UID = types.UID(secret.ResourceVersion)
	}
	m.secrets[client.ObjectKeyFromObject(secret)] = secret
	_ = m.changes.Action(event, secret.DeepCopy()) // it fails where the test is over
}

// end deletes what is in a namespace, whose writes fail until it begins again.
func (m *inMemory) end(namespace string, gone bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone[namespace] = gone
	for key, secret := range m.secrets {
		if gone && key.Namespace == namespace {
			delete(m.secrets, key)
			m.version++
			last := secret.DeepCopy()
			last.ResourceVersion = strconv.Itoa(m.version)
			_ = m.changes.Action(watch.Deleted, last)
		}
	}
}
