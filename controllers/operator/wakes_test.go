package operator

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/connection"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/inmemory"
	"regcred.dev/regcred/test/manager"
)

// sealed is a Vault that gives nothing.
type sealed struct{}

func (sealed) Read(context.Context, source.Request) (source.Snapshot, error) {
	return source.Snapshot{}, &source.Error{Reason: v1alpha1.ReasonSealed, Message: "sealed", RetryAfter: time.Hour}
}

// cached reads from a cache, and writes to what fills it.
type cached struct {
	client.Client
	cache client.Reader
}

func (c cached) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	return c.cache.Get(ctx, key, into, options...)
}

func (c cached) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	return c.cache.List(ctx, into, options...)
}

// noPods are there.
type noPods struct{}

func (noPods) InUse(context.Context, []string, func(string) bool, int) ([]string, error) {
	return nil, nil
}

func (noPods) Running(context.Context, []string, string, func(string) bool) (podlist.Running, error) {
	return podlist.Running{}, nil
}

// unmeasured is what nobody looks at.
type unmeasured struct{}

func (unmeasured) Verified(string, string)                   {}
func (unmeasured) RotationSeen(string, time.Duration)        {}
func (unmeasured) Observe(string, bool, int, int, time.Time) {}
func (unmeasured) Refused(string, bool, int)                 {}
func (unmeasured) Troubles(string, map[string]int, int)      {}
func (unmeasured) Schedule(string, rotation.Schedule)        {}
func (unmeasured) Forget(string)                             {}

// looks are the connections that are looked at.
type looks chan string

func (l looks) Check(_ context.Context, one *v1alpha1.VaultConnection) (connection.State, error) {
	l <- one.Name
	return connection.State{}, nil
}

// What one controller learns another one acts on at once, and not when it looks at everything the next time.
func TestWhoIsWokenByWhat(t *testing.T) {
	company := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company", UID: "u", Generation: 1}}
	company.Spec.Registries = []v1alpha1.Registry{"r.example"}
	company.Spec.Source.Vault = &v1alpha1.VaultSource{Path: "kv/data/company"}
	company.Spec.Target = v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"shop"}, SecretName: "pull", Attach: v1alpha1.AttachNone}
	cluster := inmemory.Cluster().WithStatusSubresource(&v1alpha1.RegistryCredential{}, &v1alpha1.VaultConnection{}).WithObjects(
		company, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "n"}}, &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
	).Build()
	inner := manager.New(t, cluster)
	mgr := answered{inner, cached{cluster, inner.GetCache()}, &sent{}}
	p, err := New(t.Context(), mgr, Options{Namespace: "regcred-system", SecretNames: []string{"pull"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	p.Writer = cluster
	checks := make(looks, 100)
	for _, add := range []func() error{
		p.AddDelivery, func() error { return p.AddConnection(checks, nil) },
		func() error {
			return p.AddCredential(Reading{Source: sealed{}, Asker: asker{}, Images: noPods{}, Running: noPods{}, Metrics: unmeasured{}})
		},
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	manager.Start(t, inner)
	told := func(is func(*v1alpha1.RegistryCredentialStatus) bool) func() bool {
		return func() bool {
			var object v1alpha1.RegistryCredential
			return cluster.Get(context.Background(), client.ObjectKey{Name: "company"}, &object) == nil && is(&object.Status)
		}
	}
	manager.Await(t, "the first status is written", told(func(s *v1alpha1.RegistryCredentialStatus) bool { return len(s.Conditions) > 0 }))
	p.Pods.Note(types.NamespacedName{Namespace: "shop", Name: "web"}, "company")
	manager.Await(t, "the status tells of a pod that is stuck", told(func(s *v1alpha1.RegistryCredentialStatus) bool { return s.Pods != nil && s.Pods.Stuck > 0 }))

	login, err := dockerconfig.NewCredential("robot", "password")
	if err != nil {
		t.Fatal(err)
	}
	value := rotation.Value{Config: dockerconfig.Config{"r.example": login}, Revision: "1"}
	if err := p.Store.Save(t.Context(), records.Record{Credential: "company", UID: "u", Kept: rotation.Kept{Value: value}}); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "what is published is delivered", func() bool {
		return cluster.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "pull"}, &corev1.Secret{}) == nil
	})
	looked := func(what string) {
		t.Helper()
		select {
		case <-checks:
		case <-time.After(20 * time.Second):
			t.Fatalf("it is not looked at: %s", what)
		}
	}
	looked("a connection that is there") // else this look would be taken for the next one
	for len(checks) > 0 {
		<-checks
	}
	p.Troubled.Notify("default")
	looked("a connection whose readers see another state")
}
