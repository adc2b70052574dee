package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
)

// maxLag is how many versions a cache may be behind.
const maxLag = 5

// line is what one cache shows: it never goes back, and is never more than maxLag versions behind.
type line[T any] struct {
	versions []T
	at       int
}

func (l *line[T]) add(version T) { l.versions = append(l.versions, version) }

func (l *line[T]) newest() T { return l.versions[len(l.versions)-1] }

func (l *line[T]) shown() T { return l.versions[l.at] }

func (l *line[T]) advance(random *rand.Rand) {
	l.at = max(l.at, len(l.versions)-1-maxLag)
	l.at += random.IntN(len(l.versions) - l.at)
}

func (l *line[T]) catchUp() { l.at = len(l.versions) - 1 }

// lagging is the world as lagging caches show it: one namespace with its Secret and its ServiceAccount, which are real, and the
// RegistryCredentials. Another namespace is there to be selected instead.
type lagging struct {
	namespace   *corev1.Namespace
	secrets     line[*corev1.Secret]
	accounts    line[*corev1.ServiceAccount]
	credentials line[[]v1alpha1.RegistryCredential]
}

func (w *lagging) advance(random *rand.Rand) {
	w.secrets.advance(random)
	w.accounts.advance(random)
	w.credentials.advance(random)
}

func (w *lagging) catchUp() {
	w.secrets.catchUp()
	w.accounts.catchUp()
	w.credentials.catchUp()
}

// look takes in what the API server has.
func (w *lagging) look(ctx context.Context, admin client.Reader) error {
	secret, account := &corev1.Secret{}, &corev1.ServiceAccount{}
	err := admin.Get(ctx, client.ObjectKey{Namespace: w.namespace.Name, Name: "regcred"}, secret)
	if apierrors.IsNotFound(err) {
		secret, err = nil, nil
	}
	if err != nil {
		return err
	}
	err = admin.Get(ctx, client.ObjectKey{Namespace: w.namespace.Name, Name: "default"}, account)
	if apierrors.IsNotFound(err) {
		account, err = nil, nil
	}
	if err != nil {
		return err
	}
	if len(w.secrets.versions) == 0 || versionOf(secret) != versionOf(w.secrets.newest()) {
		w.secrets.add(secret)
	}
	if len(w.accounts.versions) == 0 || versionOf(account) != versionOf(w.accounts.newest()) {
		w.accounts.add(account)
	}
	return nil
}

func versionOf[T interface {
	comparable
	client.Object
}](object T) string {
	var none T
	if object == none {
		return ""
	}
	return object.GetResourceVersion()
}

// Get implements client.Reader for what the manager's cache holds.
func (w *lagging) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if namespace, ok := into.(*corev1.Namespace); ok && key.Name == w.namespace.Name {
		w.namespace.DeepCopyInto(namespace)
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// List implements client.Reader.
func (w *lagging) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch list := into.(type) {
	case *corev1.NamespaceList:
		list.Items = []corev1.Namespace{*w.namespace, {ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"}}}
	case *v1alpha1.RegistryCredentialList:
		list.Items = w.credentials.shown()
	}
	return nil
}

// current is an API server that has the newest RegistryCredentials of a world, and everything else itself.
type current struct {
	client.Client
	world *lagging
}

// Get implements client.Reader.
func (c current) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	credential, is := into.(*v1alpha1.RegistryCredential)
	if !is {
		return c.Client.Get(ctx, key, into, options...)
	}
	for _, one := range c.world.credentials.newest() {
		if one.Name == key.Name {
			one.DeepCopyInto(credential)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// laggingSecrets and laggingAccounts implement delivery.Named.
type (
	laggingSecrets  struct{ *lagging }
	laggingAccounts struct{ *lagging }
)

func (s laggingSecrets) Get(_ context.Context, key client.ObjectKey, into client.Object) error {
	if secret := s.secrets.shown(); secret != nil && key.Name == secret.Name {
		secret.DeepCopyInto(into.(*corev1.Secret))
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
}

func (s laggingSecrets) List(_ context.Context, _ string, into client.ObjectList, visit func()) error {
	list := into.(*corev1.SecretList)
	list.Items = nil
	if secret := s.secrets.shown(); secret != nil {
		list.Items = []corev1.Secret{*secret}
	}
	visit()
	return nil
}

func (laggingSecrets) Allowed(name string) bool            { return name == "regcred" }
func (laggingSecrets) Names() []string                     { return []string{"regcred"} }
func (laggingSecrets) Each(func(cache.Cache) error) error  { return nil }
func (laggingAccounts) Allowed(name string) bool           { return name == "default" }
func (laggingAccounts) Names() []string                    { return []string{"default"} }
func (laggingAccounts) Each(func(cache.Cache) error) error { return nil }

func (a laggingAccounts) Get(_ context.Context, key client.ObjectKey, into client.Object) error {
	if account := a.accounts.shown(); account != nil && key.Name == account.Name {
		account.DeepCopyInto(into.(*corev1.ServiceAccount))
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccounts"}, key.Name)
}

func (a laggingAccounts) List(_ context.Context, _ string, into client.ObjectList, visit func()) error {
	list := into.(*corev1.ServiceAccountList)
	list.Items = nil
	if account := a.accounts.shown(); account != nil {
		list.Items = []corev1.ServiceAccount{*account}
	}
	visit()
	return nil
}

// laggingCaches goes through random histories in which each cache is up to five versions behind.
func laggingCaches(t *testing.T, rig *deliveryRig) {
	const histories, atOnce = 200, 4
	clientset, err := kubernetes.NewForConfig(rig.operator)
	if err != nil {
		t.Fatal(err)
	}
	writer, store := newAPIClient(t, rig.operator), records.NewStore(clientset.CoreV1(), operatorNamespace, func(string) {})
	if err := store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		for seed := range uint64(histories) {
			seeds <- seed
		}
	}()
	ended := make(chan error)
	for range atOnce {
		go func() {
			for seed := range seeds {
				ended <- newHistory(rig, writer, store, seed).run(context.Background())
			}
		}()
	}
	begin := time.Now()
	for range histories {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d histories in %s", histories, time.Since(begin).Round(time.Second))
}

func credentialFor(name, registry, namespace string, age time.Duration) v1alpha1.RegistryCredential {
	c := v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID("uid-of-" + name), Generation: 1, CreationTimestamp: metav1.NewTime(time.Now().Add(-age)),
	}}
	c.Spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(registry)}
	inNamespaces(namespace)(&c.Spec)
	return c
}

func failed(seed uint64, step int, what string, arguments ...any) error {
	return fmt.Errorf("seed %d, step %d: %s", seed, step, fmt.Sprintf(what, arguments...))
}
