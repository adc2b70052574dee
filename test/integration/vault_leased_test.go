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
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
)

// TestALeasedCredentialIsReplacedWithoutAGap runs the program with a user of the registry that Vault leases and does not prolong: the
// operator restarts while the lease lives, and later one namespace is slow to get the next one.
func TestALeasedCredentialIsReplacedWithoutAGap(t *testing.T) {
	t.Parallel()
	const lease = 45 * time.Second
	r := startOperatorRun(t)
	vaultMust(t, r.vault.Policy(t.Context(), "regcred", vaultLeaser))
	vaultMust(t, r.vault.MountRegistryTokens(t.Context(), "robots", r.registry))
	vaultMust(t, r.vault.SetTokenRole(t.Context(), "robots", "puller", box.TokenRole{TTLSeconds: int(lease.Seconds()), MaxTTLSeconds: 60, NotRenewable: true, Pull: []string{""}}))
	namespaces := r.makeNamespaces(t, 3)
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Source.Vault = &atRobots })
	first := r.awaitUser(t, namespaces, "")
	begun := time.Now()
	r.wantLeases(t, 1, 1)

	r.kill(t)
	r.start(t)
	late := r.served(t, "late")
	if user := r.awaitUser(t, append(namespaces, late), ""); user != first {
		t.Errorf("after a restart %s is delivered, and %s was before", user, first)
	}
	r.wantLeases(t, 1, 1)

	// A Secret that somebody else made stands in the way in one namespace.
	blocked := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace(t), Name: "regcred"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)},
	}
	vaultMust(t, r.admin.Create(t.Context(), blocked))
	vaultMust(t, r.admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: blocked.Namespace}},
		client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"served":"yes"}}}`))))
	vaultMust(t, r.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: blocked.Namespace, Name: "default"}}))

	second := r.awaitUser(t, append(namespaces, late), first)
	if age := time.Since(begun); age > lease*3/4 {
		t.Errorf("the next user came after %s, want two thirds of %s", age, lease)
	}
	r.wantLeases(t, 2, 2)
	vaultMust(t, r.admin.Delete(t.Context(), blocked))
	r.awaitUser(t, []string{blocked.Namespace}, "")
	awaitWithin(t, 10*time.Second, func(ctx context.Context) error {
		count, err := r.vault.Leases(ctx, "robots")
		if err == nil && (count.Outstanding != 1 || count.OutstandingUsernames[0] != second) {
			err = fmt.Errorf("%+v", count)
		}
		return err
	})
	if age := time.Since(begun); age > lease {
		t.Fatalf("the first lease ended on its own, %s ago: this run proves nothing", age-lease)
	}
}

// served makes a namespace that the RegistryCredential selects, with a ServiceAccount.
func (r *operatorRun) served(t *testing.T, name string) string {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"served": "yes"}}}))
	vaultMust(t, r.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}))
	return name
}

// awaitUser waits until the Secrets of all namespaces hold one user of the registry, another one than before, and returns its name.
func (r *operatorRun) awaitUser(t *testing.T, namespaces []string, before string) string {
	t.Helper()
	var user string
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		user = ""
		for _, namespace := range namespaces {
			var secret corev1.Secret
			if err := r.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret); err != nil {
				return err
			}
			config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
			if err != nil {
				return err
			}
			found := config[r.registry.Basic].Username()
			if found == "" || found == before || user != "" && found != user {
				return fmt.Errorf("namespace %s has %q, another %q, and before it was %q", namespace, found, user, before)
			}
			user = found
		}
		return nil
	})
	return user
}

func (r *operatorRun) wantLeases(t *testing.T, issued, outstanding int) {
	t.Helper()
	count, err := r.vault.Leases(t.Context(), "robots")
	vaultMust(t, err)
	if count.Issued != issued || count.Outstanding != outstanding {
		t.Errorf("%d leases were issued and %d are outstanding, want %d and %d", count.Issued, count.Outstanding, issued, outstanding)
	}
}
