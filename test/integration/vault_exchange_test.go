package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
)

// TestKeysInVaultBecomeLoginsAtClouds runs the program before stand-ins of AWS and Azure, which check signatures and forms. Logins at
// Amazon last for half a minute here, so that one ends.
func TestKeysInVaultBecomeLoginsAtClouds(t *testing.T) {
	t.Parallel()
	cloud := box.CloudForTest(t)
	r := startOperatorRunWith(t, box.VaultOptions{Env: cloud.Env()})
	r.env = cloud.Env()
	cloud.AWS.SetECRLife(30 * time.Second)
	for path, data := range map[string]map[string]any{
		"platform/aws":   cloud.AWS.SessionKeys(),
		"platform/azure": {"client_id": cloud.Azure.ClientID, "client_secret": cloud.Azure.ClientSecret, "tenant_id": cloud.Azure.Tenant},
	} {
		_, err := r.vault.WriteKV2(t.Context(), "secret", path, data)
		vaultMust(t, err)
	}
	r.start(t)
	const amazon = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
	r.deliverExchanged(t, "aws", amazon, v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}})
	r.deliverExchanged(t, "azure", cloud.Azure.Registry, v1alpha1.VaultExchange{ACR: &v1alpha1.ACRExchange{}})

	first := r.awaitLogin(t, "aws", amazon, "AWS", "")
	if token := r.awaitLogin(t, "azure", cloud.Azure.Registry, "00000000-0000-0000-0000-000000000000", ""); strings.Count(token, ".") != 2 {
		t.Error("what is delivered for Azure is no token of the registry")
	}
	second := r.awaitLogin(t, "aws", amazon, "AWS", first)
	if given := cloud.AWS.ECRPasswords(); !slices.Contains(given, first) || !slices.Contains(given, second) {
		t.Error("what is delivered for Amazon was not given by it")
	}

	cloud.AWS.Refuse(true)
	awaitWithin(t, time.Minute, r.readingIs("of-aws", v1alpha1.ReasonExchangeRefused))
	kept := r.awaitLogin(t, "aws", amazon, "AWS", "")
	var object v1alpha1.RegistryCredential
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: "of-aws"}, &object))
	if said := fmt.Sprint(object.Status); strings.Contains(said, box.CloudWords) || strings.Contains(said, kept) {
		t.Errorf("the status repeats what it must not: %s", said)
	}
	cloud.AWS.Refuse(false)
	r.awaitLogin(t, "aws", amazon, "AWS", kept)
}

// deliverExchanged delivers what secret/platform/NAME is traded for to the namespace NAME.
func (r *operatorRun) deliverExchanged(t *testing.T, name, registry string, exchange v1alpha1.VaultExchange) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	vaultMust(t, r.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}))
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "of-" + name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(registry)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/" + name, Exchange: &exchange}},
			RefreshPeriodSeconds: new(int32(5)),
			Verification:         &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled},
			Target:               v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(name)}},
		},
	}))
}

// awaitLogin waits for a login of a user with another password than before, and returns that.
func (r *operatorRun) awaitLogin(t *testing.T, namespace, host, user, before string) string {
	t.Helper()
	var password string
	awaitWithin(t, 2*time.Minute, func(ctx context.Context) error {
		var secret corev1.Secret
		if err := r.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret); err != nil {
			return err
		}
		config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
		if err != nil {
			return err
		}
		password = config[host].Password()
		if config[host].Username() != user || password == "" || password == before {
			return errors.New("the Secret holds no login of " + user + ", or the one before")
		}
		return nil
	})
	return password
}
