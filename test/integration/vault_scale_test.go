package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// scalePeriod is the shortest refresh period, with which one RegistryCredential is read.
const scalePeriod = 5 * time.Second

// TestARotationIsEverywhereWithinTheRefreshPeriod runs the program with a hundred namespaces: what is written to Vault is in all of them
// within the refresh period and two seconds, ten times of ten. It measures time, and so runs alone.
func TestARotationIsEverywhereWithinTheRefreshPeriod(t *testing.T) {
	r, namespaces := startScaleRun(t)
	r.rotateTenTimes(t, namespaces)
}

// TestVaultAtScale runs the program with a thousand RegistryCredentials. Where many tests share the processors, a reader comes late, and misses the
// read of the others: so it runs alone.
func TestVaultAtScale(t *testing.T) {
	r, namespaces := startScaleRun(t)
	proxy := newCountingProxy(t, r.vault)
	r.connectByAppRole(t, proxy.address)
	const objects, paths = 1000, 50
	r.makeCredentials(t, objects, paths, namespaces)
	audit, err := r.vault.StartAudit(t.Context())
	vaultMust(t, err)
	defer func() { vaultMust(t, audit.Stop(context.WithoutCancel(t.Context()))) }()
	t.Run("a thousand credentials on fifty paths are fifty reads in a period", func(t *testing.T) { countReads(t, audit, proxy, paths) })
	t.Run("a sealed Vault gets few requests and no Secret is written; unsealed it is read within a minute", func(t *testing.T) {
		r.sealed(t, audit, proxy, paths)
	})
}

// startScaleRun starts the program with a RegistryCredential that a hundred namespaces have.
func startScaleRun(t *testing.T) (*operatorRun, []string) {
	t.Helper()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 100)
	r.rotate(t, "password-0")
	r.start(t)
	r.applyCredential(t)
	awaitWithin(t, 2*time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "password-0") })
	return r, namespaces
}

// rotateTenTimes writes passwords to Vault and notes when the last Secret holds each.
func (r *operatorRun) rotateTenTimes(t *testing.T, namespaces []string) {
	const promised = scalePeriod + 2*time.Second
	secrets, err := scenario.Follow(t.Context(), newAPIClient(t, r.config), &corev1.SecretList{}, byName("regcred"))
	vaultMust(t, err)
	defer secrets.Stop()
	var took []time.Duration
	for i := range 10 {
		password := fmt.Sprintf("password-%d", i+1)
		r.setRegistry(t, password)
		begun := time.Now()
		r.setVault(t, password)
		r.awaitEverywhere(t, secrets, namespaces, password)
		took = append(took, time.Since(begun).Round(10*time.Millisecond))
	}
	t.Logf("from the write to the last of %d Secrets: %s", len(namespaces), took)
	if slowest := slices.Max(took); slowest > promised {
		t.Errorf("a rotation was everywhere after %s, want %s at most", slowest, promised)
	}
}

// awaitEverywhere follows a watch until the Secrets of all namespaces have held a password.
func (r *operatorRun) awaitEverywhere(t *testing.T, secrets watch.Interface, namespaces []string, password string) {
	t.Helper()
	stale := map[string]bool{}
	for _, namespace := range namespaces {
		stale[namespace] = true
	}
	deadline := time.After(time.Minute)
	for len(stale) > 0 {
		select {
		case event, open := <-secrets.ResultChan():
			if !open {
				t.Fatal("the watch ended")
			}
			secret, ok := event.Object.(*corev1.Secret)
			if !ok {
				t.Fatalf("the watch failed: %v", event.Object)
			}
			config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
			vaultMust(t, err)
			if config[r.registry.Basic].Password() == password {
				delete(stale, secret.Namespace)
			}
		case <-deadline:
			t.Fatalf("%d Secrets are stale after a minute", len(stale))
		}
	}
}

// connectByAppRole changes the connection in use: to another address, and to another login.
func (r *operatorRun) connectByAppRole(t *testing.T, address string) {
	t.Helper()
	roleID, secretID, err := r.vault.EnableAppRoleAuth(t.Context(), box.AppRoleAuth{Role: "regcred", Policies: []string{"regcred"}})
	vaultMust(t, err)
	vaultMust(t, r.admin.Create(t.Context(), vaultAuthSecret("vault-approle", map[string]string{"secret-id": secretID})))
	r.changeConnection(t, func(spec *v1alpha1.VaultConnectionSpec) {
		spec.Address = address
		spec.Auth = v1alpha1.VaultAuth{AppRole: &v1alpha1.AppRoleAuth{
			RoleID: roleID, SecretID: v1alpha1.KeyReference{Name: "vault-approle", Key: "secret-id"},
		}}
	})
}

func (r *operatorRun) changeConnection(t *testing.T, change func(*v1alpha1.VaultConnectionSpec)) {
	t.Helper()
	var connection v1alpha1.VaultConnection
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection))
	before := connection.DeepCopy()
	change(&connection.Spec)
	vaultMust(t, r.admin.Patch(t.Context(), &connection, client.MergeFrom(before)))
}
