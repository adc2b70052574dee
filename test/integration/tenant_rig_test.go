package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

const (
	// tenantHome is the tenant's namespace that is selected, tenantYard one that is not.
	tenantHome, tenantYard = "tenant", "tenant-yard"
	tenantUser             = "mallory"
)

// tenantRun is the operator beside 100 namespaces and a tenant, with some RegistryCredentials.
type tenantRun struct {
	*operatorRun
	teams       []string
	credentials []tenantCredential
	secrets     *heldPasswords
	watched     *watchedOperator
	tenant      client.Client
	rotations   int
}

// tenantCredential is a RegistryCredential of the run.
type tenantCredential struct {
	name, registry, path string
	// holding are the namespaces that hold its entry, and selected those of them that it selects.
	holding, selected []string
}

func startTenantRun(t *testing.T) *tenantRun {
	t.Helper()
	r := &tenantRun{operatorRun: startOperatorRun(t)}
	r.teams = r.makeNamespaces(t, 100)
	for _, name := range []string{tenantHome, tenantYard} {
		r.makeTenantNamespace(t, name)
	}
	r.tenant = r.asTenant(t)
	r.credentials = []tenantCredential{
		{name: "company", registry: r.registry.Basic, holding: r.teams, selected: r.teams},
		{name: "small", registry: r.registry.Token, holding: r.teams[:3], selected: r.teams[:3]},
		{name: "shrinking", registry: "shrinking.example.com", holding: r.teams[:12], selected: r.teams[:12]},
		{name: "leaving", registry: "leaving.example.com", holding: r.teams[:3], selected: r.teams[:3]},
	}
	probes := freeAddress(t)
	r.flags = []string{"--health-probe-bind-address=" + probes, "--insecure-registries=" + r.registry.Basic + "," + r.registry.Token}
	r.runApps(t)
	r.secrets = r.watchHeld(t)
	r.start(t)
	r.watched = watchOperator(t, r.process.Process.Pid, "http://"+probes)
	for i := range r.credentials {
		one := &r.credentials[i]
		one.path = "platform/registries/" + one.name
		r.createTenantCredential(t, *one)
	}
	return r
}

// createTenantCredential selects namespaces by name where there are few, and always the tenant's.
func (r *tenantRun) createTenantCredential(t *testing.T, one tenantCredential) {
	t.Helper()
	period := int32(5)
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: one.name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(one.registry)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: one.path}},
			RefreshPeriodSeconds: &period,
			DeletionPolicy:       v1alpha1.DeletionDelete,
		},
	}
	if one.name == "company" {
		object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"served": "yes"}}
	} else {
		object.Spec.Target.Namespaces = []v1alpha1.NamespaceName{tenantHome}
		for _, namespace := range one.selected {
			object.Spec.Target.Namespaces = append(object.Spec.Target.Namespaces, v1alpha1.NamespaceName(namespace))
		}
	}
	if one.registry != r.registry.Basic && one.registry != r.registry.Token {
		object.Spec.Verification = &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled}
	}
	vaultMust(t, r.admin.Create(t.Context(), object))
}

func (r *tenantRun) makeTenantNamespace(t *testing.T, name string) {
	t.Helper()
	vaultMust(t, r.makeNamespace(t.Context(), name))
	if name == tenantYard {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		vaultMust(t, r.admin.Patch(t.Context(), namespace, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"served":null}}}`))))
	}
	// Nothing aggregates ClusterRoles here: these two are what the ClusterRole edit is made of.
	for _, role := range []string{"system:aggregate-to-edit", "system:aggregate-to-view"} {
		vaultMust(t, r.admin.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, GenerateName: "edit-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: tenantUser}},
		}))
	}
}

// asTenant is the tenant's client. It may do in its namespaces what edit allows, and nothing elsewhere.
func (r *tenantRun) asTenant(t *testing.T) client.Client {
	t.Helper()
	config := rest.CopyConfig(r.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: tenantUser, Groups: []string{"system:authenticated"}}
	tenant := newAPIClient(t, config)
	awaitAPI(t, "the tenant may write Secrets", func() error {
		return client.NewDryRunClient(tenant).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenantHome, Name: "probe"}})
	})
	if err := tenant.List(t.Context(), &corev1.SecretList{}, client.InNamespace(r.teams[0])); err == nil {
		t.Fatal("the tenant may read the Secrets of others: the test would prove nothing")
	}
	return tenant
}

// places are the registries whose entries each namespace has to hold.
func (r *tenantRun) places() map[string][]string {
	places := map[string][]string{}
	for _, one := range r.credentials {
		for _, namespace := range one.holding {
			places[namespace] = append(places[namespace], one.registry)
		}
	}
	return places
}

func (r *tenantRun) read(ctx context.Context, name string) (*v1alpha1.RegistryCredential, error) {
	var object v1alpha1.RegistryCredential
	return &object, r.admin.Get(ctx, client.ObjectKey{Name: name}, &object)
}

// requestRefreshes has all sources read now: how long that would take otherwise is chance.
func (r *tenantRun) requestRefreshes(t *testing.T, request string) {
	t.Helper()
	for _, one := range r.credentials {
		object, err := r.read(t.Context(), one.name)
		vaultMust(t, err)
		before := object.DeepCopy()
		metav1.SetMetaDataAnnotation(&object.ObjectMeta, v1alpha1.RefreshRequestedAtAnnotation, request)
		vaultMust(t, r.admin.Patch(t.Context(), object, client.MergeFrom(before)))
	}
}

// heldPasswords follows what the pull Secrets of all namespaces hold, by namespace and registry.
type heldPasswords struct {
	mu      sync.Mutex
	held    map[string]map[string]string
	changed chan struct{}
}

// watchHeld watches the pull Secrets until the test ends.
func (r *tenantRun) watchHeld(t *testing.T) *heldPasswords {
	t.Helper()
	h := &heldPasswords{held: map[string]map[string]string{}, changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil { // the API server ends the watch of whoever is slow
			h.follow(ctx, newAPIClient(t, r.config))
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

func (h *heldPasswords) follow(ctx context.Context, admin client.WithWatch) {
	watcher, err := admin.Watch(ctx, &corev1.SecretList{}, byName(v1alpha1.DefaultSecretName))
	if err != nil {
		return
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if secret, ok := event.Object.(*corev1.Secret); ok && secret.Namespace != tenantHome && secret.Namespace != tenantYard {
			h.note(secret)
		}
	}
}

func (h *heldPasswords) note(secret *corev1.Secret) {
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return // then it holds what it held: await ends in vain
	}
	held := map[string]string{}
	for registry, credential := range config {
		held[registry] = credential.Password()
	}
	h.mu.Lock()
	h.held[secret.Namespace] = held
	h.mu.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// await waits until all namespaces hold a password for all their registries.
func (h *heldPasswords) await(t *testing.T, places map[string][]string, password string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		stale := h.stale(places, password)
		if len(stale) == 0 {
			return
		}
		select {
		case <-h.changed:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-deadline:
			t.Fatalf("after two minutes %d namespaces do not hold %s: %s", len(stale), password, stale[:min(len(stale), 5)])
		}
	}
}

func (h *heldPasswords) stale(places map[string][]string, password string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var stale []string
	for namespace, registries := range places {
		if slices.ContainsFunc(registries, func(registry string) bool { return h.held[namespace][registry] != password }) {
			stale = append(stale, fmt.Sprint(namespace, " ", registries))
		}
	}
	slices.Sort(stale)
	return stale
}

// holds reports whether a namespace holds an entry for a registry.
func (h *heldPasswords) holds(namespace, registry string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, held := h.held[namespace][registry]
	return held
}
