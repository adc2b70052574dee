package integration

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/test/box"
)

const vaultReader = `path "secret/data/platform/*" { capabilities = ["read"] }`

// vaultRig is a Manager with the objects, Secrets and clock that it sees, before a real Vault.
type vaultRig struct {
	movableClock // the Manager's; Vault's own stays
	t            *testing.T
	vault        *box.Vault
	manager      *vault.Manager

	mu          sync.Mutex
	connections map[string]*v1alpha1.VaultConnection
	values      map[string]map[string]string // Secrets and ConfigMaps by name
	logins      map[string]int               // by reason

	// requestToken answers for the API server; nil refuses.
	requestToken vault.TokenRequester
}

// newVaultRig starts a Manager. Connection "default" logs in with the root token's child that the policy reader binds,
// unless the test changes it.
func newVaultRig(t *testing.T, server *box.Vault, change ...func(*vault.Options)) *vaultRig {
	t.Helper()
	r := &vaultRig{
		t: t, vault: server,
		connections: map[string]*v1alpha1.VaultConnection{},
		values:      map[string]map[string]string{},
		logins:      map[string]int{},
	}
	options := vault.Options{
		Connection: r.connection, Secret: r.secret, ConfigMap: r.value, Now: r.now, Metrics: vaultMetrics{r},
		RequestToken: func(ctx context.Context, account string, audiences []string, lifetime time.Duration) (string, error) {
			if r.requestToken == nil {
				return "", errors.New("this test has no API server")
			}
			return r.requestToken(ctx, account, audiences, lifetime)
		},
	}
	for _, c := range change {
		c(&options)
	}
	manager, err := vault.New(options)
	if err != nil {
		t.Fatal(err)
	}
	r.manager = manager
	t.Cleanup(func() {
		if err := manager.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *vaultRig) connection(_ context.Context, name string) (*v1alpha1.VaultConnection, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.connections[name]; c != nil {
		return c, nil // never changed, only replaced
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: "regcred.dev", Resource: "vaultconnections"}, name)
}

func (r *vaultRig) value(_ context.Context, name, key string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	object := r.values[name]
	if object == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
	}
	return []byte(object[key]), nil
}

func (r *vaultRig) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	if _, err := r.value(ctx, name, ""); err != nil {
		return nil, err
	}
	secret := vaultAuthSecret(name, nil)
	secret.Data = map[string][]byte{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, value := range r.values[name] {
		secret.Data[key] = []byte(value)
	}
	return secret, nil
}

// vaultAuthSecret is a Secret of the operator's namespace that a VaultConnection may log in with.
func vaultAuthSecret(name string, values map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorNamespace, Name: name, Labels: map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed},
		},
		StringData: values,
	}
}

func (r *vaultRig) setValue(name string, values map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[name] = maps.Clone(values)
}

// connect makes or replaces a VaultConnection to the rig's Vault.
func (r *vaultRig) connect(name string, auth v1alpha1.VaultAuth, change ...func(*v1alpha1.VaultConnectionSpec)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &v1alpha1.VaultConnection{}
	c.Name = name
	c.Spec = v1alpha1.VaultConnectionSpec{Address: r.vault.Address, Auth: auth, RequestsPerSecond: new(int32(1000))}
	for _, change := range change {
		change(&c.Spec)
	}
	if before := r.connections[name]; before != nil {
		c.Generation = before.Generation + 1
	}
	r.connections[name] = c
}

// connectByAppRole makes connection "default" log in by AppRole with these policies.
func (r *vaultRig) connectByAppRole(ttl int, change func(*v1alpha1.VaultConnectionSpec), policies ...string) {
	r.t.Helper()
	roleID, secretID, err := r.vault.EnableAppRoleAuth(r.t.Context(), box.AppRoleAuth{Role: "regcred", Policies: policies, TTLSeconds: ttl})
	vaultMust(r.t, err)
	r.setValue("approle", map[string]string{"secret-id": secretID})
	changes := []func(*v1alpha1.VaultConnectionSpec){}
	if change != nil {
		changes = append(changes, change)
	}
	r.connect("default", v1alpha1.VaultAuth{AppRole: &v1alpha1.AppRoleAuth{
		RoleID: roleID, SecretID: v1alpha1.KeyReference{Name: "approle", Key: "secret-id"},
	}}, changes...)
}

func (r *vaultRig) read(place v1alpha1.VaultSource, registries ...string) (source.Snapshot, *source.Error) {
	r.t.Helper()
	snapshot, err := r.manager.Read(r.t.Context(), vaultRequest(place, 0, registries...))
	return snapshot, source.AsError(err)
}

// mustRead reads and fails the test where that fails.
func (r *vaultRig) mustRead(place v1alpha1.VaultSource, registries ...string) source.Snapshot {
	r.t.Helper()
	snapshot, failure := r.read(place, registries...)
	if failure != nil {
		r.t.Fatalf("%s: %s (cause: %v)", failure.Reason, failure.Message, failure.Err)
	}
	return snapshot
}

// mustFail reads and wants it to fail for a reason.
func (r *vaultRig) mustFail(place v1alpha1.VaultSource, reason string) *source.Error {
	r.t.Helper()
	_, failure := r.read(place)
	if failure == nil || failure.Reason != reason {
		r.t.Fatalf("got %+v, want the reason %s", failure, reason)
	}
	return failure
}

func (r *vaultRig) write(path, username, password string) {
	r.t.Helper()
	_, err := r.vault.WriteKV2(r.t.Context(), "secret", path, map[string]any{"username": username, "password": password})
	vaultMust(r.t, err)
}

func (r *vaultRig) audit() *box.Audit {
	r.t.Helper()
	audit, err := r.vault.StartAudit(r.t.Context())
	vaultMust(r.t, err)
	r.t.Cleanup(func() { vaultMust(r.t, audit.Stop(context.Background())) })
	return audit
}

func (r *vaultRig) loginCount(reason string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logins[reason]
}

type vaultMetrics struct{ rig *vaultRig }

func (m vaultMetrics) Login(_, _, reason string) {
	m.rig.mu.Lock()
	defer m.rig.mu.Unlock()
	m.rig.logins[reason]++
}
func (vaultMetrics) Read(string, string)            {}
func (vaultMetrics) TokenExpires(string, time.Time) {}
func (vaultMetrics) ForgetConnection(string)        {}

func (vaultMetrics) EventsFollowed(string, time.Duration) {}

func vaultRequest(place v1alpha1.VaultSource, maxAge time.Duration, registries ...string) source.Request {
	if len(registries) == 0 {
		registries = []string{"registry.example"}
	}
	request := source.Request{Source: v1alpha1.Source{Vault: &place}, Salt: []byte("0123456789abcdef"), MaxAge: maxAge}
	for _, registry := range registries {
		request.Registries = append(request.Registries, v1alpha1.Registry(registry))
	}
	return request
}

func kv2(path string) v1alpha1.VaultSource { return v1alpha1.VaultSource{Mount: "secret", Path: path} }

// wantLogin wants the snapshot to hold this credential for registry.example.
func wantLogin(t *testing.T, snapshot source.Snapshot, username, password string) {
	t.Helper()
	credential := snapshot.Config["registry.example"]
	if credential.Username() != username || credential.Password() != password {
		t.Fatalf("got %q with another password, or another user, than %q; keys %v",
			credential.Username(), username, slices.Collect(maps.Keys(snapshot.Config)))
	}
}

func vaultMust(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vaultAwait waits for a condition.
func vaultAwait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("it did not come about: %s", what)
		}
	}
}

// vaultServe serves on loopback until the test ends, and returns its URL.
func vaultServe(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
