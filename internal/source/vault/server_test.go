package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

const testToken = "hvs.of-the-test"

// scripted is a server that answers as a Vault, or as no Vault ever should: what a real one cannot be made to do.
type scripted struct {
	*httptest.Server

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc // by path
	seen     []*http.Request
}

// newScripted starts a server that is well and lets everybody log in.
func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{handlers: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	s.handle("/v1/sys/health", answers(200, `{"initialized":true,"sealed":false,"standby":false,"version":"1.14.0"}`))
	s.handle("/v1/auth/approle/login", answers(200, loginAnswer(testToken)))
	s.handle("/v1/auth/token/lookup-self", answers(200, `{"data":{"ttl":3600,"renewable":true}}`))
	s.handle("/v1/auth/token/revoke-self", answers(204, ""))
	return s
}

func loginAnswer(token string) string {
	return fmt.Sprintf(`{"auth":{"client_token":%q,"lease_duration":3600,"renewable":true}}`, token)
}

func (s *scripted) handle(path string, handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[path] = handler
}

func (s *scripted) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handler := s.handlers[r.URL.Path]
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	if handler == nil {
		handler = answers(404, `{"errors":[]}`)
	}
	handler(w, r)
}

// requests are those to a path so far, "" is any.
func (s *scripted) requests(path string) []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.seen), func(r *http.Request) bool { return path != "" && r.URL.Path != path })
}

func answers(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// kv2Answer is what KV version 2 answers with these keys.
func kv2Answer(data map[string]any) string {
	encoded, err := json.Marshal(map[string]any{"data": map[string]any{
		"data":     data,
		"metadata": map[string]any{"version": 7, "created_time": "2026-01-02T03:04:05.123456789Z", "destroyed": false},
	}})
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// rig is a Manager before a server, with the objects and the clock that it sees.
type rig struct {
	*Manager
	t *testing.T

	mu         sync.Mutex
	connection *v1alpha1.VaultConnection
	values     map[string]string // of Secrets and ConfigMaps, by name/key
	clock      time.Time
	registry   v1alpha1.Registry
}

// newRig makes a Manager whose connection "default" logs in to the address by AppRole.
func newRig(t *testing.T, address string, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, values: map[string]string{"approle/id": "secret-id"}, clock: time.Now(), registry: "registry.example"}
	r.connection = &v1alpha1.VaultConnection{}
	r.connection.Name = "default"
	r.connection.Spec = v1alpha1.VaultConnectionSpec{Address: address, RequestsPerSecond: new(int32(1000)), Auth: appRole()}
	options := Options{
		Connection: r.getConnection, Secret: r.secret, ConfigMap: r.value, Now: r.now,
		RequestToken: func(context.Context, string, []string, time.Duration) (string, error) { return "jwt", nil },
	}
	for _, c := range change {
		c(&options)
	}
	manager, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	r.Manager = manager
	t.Cleanup(func() {
		if err := manager.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func appRole() v1alpha1.VaultAuth {
	return v1alpha1.VaultAuth{AppRole: &v1alpha1.AppRoleAuth{
		RoleID: "role", SecretID: v1alpha1.KeyReference{Name: "approle", Key: "id"},
	}}
}

func (r *rig) getConnection(_ context.Context, name string) (*v1alpha1.VaultConnection, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connection == nil || name != r.connection.Name {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "vaultconnections"}, name)
	}
	return r.connection.DeepCopy(), nil
}

func (r *rig) value(_ context.Context, name, key string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	named := func(full string) bool { return strings.HasPrefix(full, name+"/") }
	if !slices.ContainsFunc(slices.Collect(maps.Keys(r.values)), named) {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
	}
	return []byte(r.values[name+"/"+key]), nil
}

// unmarked is the name of a Secret that lacks the label, proxyLogin of one that may be shown to a proxy.
const unmarked, proxyLogin = "unmarked", "proxy-login"

func (r *rig) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	if _, err := r.value(ctx, name, ""); err != nil {
		return nil, err
	}
	secret := &corev1.Secret{Data: map[string][]byte{}}
	secret.Name, secret.Namespace = name, "regcred-system"
	switch name {
	case unmarked:
	case proxyLogin:
		secret.Labels = map[string]string{v1alpha1.ProxyAuthLabel: v1alpha1.VaultAuthAllowed}
	default:
		secret.Labels = map[string]string{v1alpha1.VaultAuthLabel: v1alpha1.VaultAuthAllowed}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for full, value := range r.values {
		if key, ok := strings.CutPrefix(full, name+"/"); ok {
			secret.Data[key] = []byte(value)
		}
	}
	return secret, nil
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = r.clock.Add(d)
}

func (r *rig) change(change func(*v1alpha1.VaultConnectionSpec)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.connection.Spec)
	r.connection.Generation++
}

func (r *rig) setValue(name, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[name] = value
}

func (r *rig) read(place v1alpha1.VaultSource) (source.Snapshot, *source.Error) {
	r.t.Helper()
	return r.readAged(place, 0)
}

func (r *rig) readAged(place v1alpha1.VaultSource, maxAge time.Duration) (source.Snapshot, *source.Error) {
	r.t.Helper()
	request := requestOf(place)
	request.Registries, request.MaxAge = []v1alpha1.Registry{r.registry}, maxAge
	snapshot, err := r.Read(r.t.Context(), request)
	return snapshot, source.AsError(err)
}

func requestOf(place v1alpha1.VaultSource) source.Request {
	return source.Request{
		Registries: []v1alpha1.Registry{"registry.example"}, Source: v1alpha1.Source{Vault: &place}, Salt: []byte("salt-of-sixteen-b"),
	}
}

func (r *rig) mustRead(place v1alpha1.VaultSource) source.Snapshot {
	r.t.Helper()
	snapshot, failure := r.read(place)
	if failure != nil {
		r.t.Fatalf("%s: %s (cause: %v)", failure.Reason, failure.Message, failure.Err)
	}
	return snapshot
}

func (r *rig) mustFail(place v1alpha1.VaultSource, reason string) *source.Error {
	r.t.Helper()
	_, failure := r.read(place)
	if failure == nil || failure.Reason != reason {
		r.t.Fatalf("got %+v, want the reason %s", failure, reason)
	}
	if strings.Contains(failure.Message, "/v1/") { // an error of Go's client tells the whole request
		r.t.Errorf("the message quotes a request: %s", failure.Message)
	}
	return failure
}

var (
	atKV2     = v1alpha1.VaultSource{Mount: "secret", Path: "a"}
	atKV1     = v1alpha1.VaultSource{Mount: "secret", Path: "a", Engine: v1alpha1.EngineKVv1}
	atDynamic = v1alpha1.VaultSource{Mount: "robots", Path: "creds/a", Engine: v1alpha1.EngineDynamic}
	goodData  = map[string]any{"username": "robot", "password": "pw"}
)
