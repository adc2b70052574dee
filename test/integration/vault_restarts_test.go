package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestARestartInNoStateHasVaultMakeAnother kills the program while a leased user is being tested at a registry that is silent, while one
// namespace cannot be served, and while the lease of the user before waits to be given back.
func TestARestartInNoStateHasVaultMakeAnother(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	vaultMust(t, r.vault.Policy(t.Context(), "regcred", vaultLeaser))
	vaultMust(t, r.vault.MountRegistryTokens(t.Context(), "robots", r.registry))
	vaultMust(t, r.vault.SetTokenRole(t.Context(), "robots", "puller", box.TokenRole{TTLSeconds: 600, MaxTTLSeconds: 1200, Pull: []string{""}}))
	namespaces := r.makeNamespaces(t, 2)
	blocked := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.served(t, "blocked"), Name: "regcred"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)},
	}
	vaultMust(t, r.admin.Create(t.Context(), blocked))

	vaultMust(t, r.registry.SetFaults(t.Context(), box.Fault{Hang: true}))
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Source.Vault = &atRobots })
	awaitWithin(t, time.Minute, r.asksTheRegistry)
	for range 2 { // being tested
		r.kill(t)
		r.start(t)
	}
	vaultMust(t, r.registry.ClearFaults(t.Context()))
	first := r.awaitUser(t, namespaces, "")
	r.wantLeases(t, 1, 1)

	r.restartAndServe(t, "after-the-first", first) // in all namespaces but one
	r.wantLeases(t, 1, 1)

	request := []byte(`{"metadata":{"annotations":{"` + v1alpha1.RefreshRequestedAtAnnotation + `":"now"}}}`)
	vaultMust(t, r.admin.Patch(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}, client.RawPatch("application/merge-patch+json", request)))
	second := r.awaitUser(t, namespaces, first)
	r.restartAndServe(t, "after-the-second", second) // the lease before waits for the namespace that is not served
	r.wantLeases(t, 2, 2)
	vaultMust(t, r.admin.Delete(t.Context(), blocked))
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		count, err := r.vault.Leases(ctx, "robots")
		if err == nil && (count.Issued != 2 || count.Outstanding != 1 || count.OutstandingUsernames[0] != second) {
			err = fmt.Errorf("%+v", count)
		}
		return err
	})
}

// asksTheRegistry reports whether somebody asked the registry with a login, or without one first.
func (r *operatorRun) asksTheRegistry(ctx context.Context) error {
	requests, err := r.registry.Requests(ctx, 0)
	if err == nil && len(requests.Requests) == 0 {
		err = fmt.Errorf("the registry was asked nothing")
	}
	return err
}

// restartAndServe kills the program, and waits until the next process has served a new namespace with a user.
func (r *operatorRun) restartAndServe(t *testing.T, namespace, user string) {
	t.Helper()
	r.kill(t)
	r.start(t)
	if found := r.awaitUser(t, []string{r.served(t, namespace)}, ""); found != user {
		t.Errorf("after a restart %s is delivered, and %s was before", found, user)
	}
}
