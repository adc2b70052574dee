package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

const (
	amazon         = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
	policyOfClouds = `path "secret/data/platform/*" { capabilities = ["read"] }
path "aws/*" { capabilities = ["read"] }
path "azure/creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }`
	// acrUser stands for a refresh token of a registry of Azure.
	acrUser = "00000000-0000-0000-0000-000000000000"
)

// exchanged is a RegistryCredential whose source is traded at a cloud.
type exchanged struct {
	name, registry, user string
	source               v1alpha1.VaultSource
}

// exchangedOf are what Vault's own engines for AWS and Azure give, and the same kept in KV.
func exchangedOf(cloud *box.Cloud) []exchanged {
	ecr := &v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}
	acr := &v1alpha1.VaultExchange{ACR: &v1alpha1.ACRExchange{Tenant: cloud.Azure.Tenant}}
	dynamic := v1alpha1.EngineDynamic
	return []exchanged{
		{"aws-session", amazon, "AWS", v1alpha1.VaultSource{Mount: "aws", Path: "sts/session", Engine: dynamic, Exchange: ecr}},
		{"aws-user", amazon, "AWS", v1alpha1.VaultSource{Mount: "aws", Path: "creds/user", Engine: dynamic, Exchange: ecr}},
		{"aws-static", amazon, "AWS", v1alpha1.VaultSource{Mount: "aws", Path: "static-creds/static", Engine: dynamic, Exchange: ecr}},
		{"aws-kv", amazon, "AWS", v1alpha1.VaultSource{Mount: "secret", Path: "platform/aws", Exchange: ecr}},
		{"azure-principal", cloud.Azure.Registry, acrUser, v1alpha1.VaultSource{Mount: "azure", Path: "creds/pull", Engine: dynamic, Exchange: acr}},
		{"azure-kv", cloud.Azure.Registry, acrUser, v1alpha1.VaultSource{Mount: "secret", Path: "platform/azure", Exchange: &v1alpha1.VaultExchange{ACR: &v1alpha1.ACRExchange{}}}},
	}
}

// TestWhatVaultsEnginesGiveForCloudsBecomesLogins runs the program before the real Vault with its engines for AWS and Azure. The clouds are
// stand-ins, which check signatures, tokens and forms; the registry under their hosts is real, and takes what they gave until it ends. Logins at
// Amazon end after half a minute here, and keys of a new user are known there after some seconds.
func TestWhatVaultsEnginesGiveForCloudsBecomesLogins(t *testing.T) {
	t.Parallel()
	cloud := box.CloudForTest(t)
	r := startOperatorRunWith(t, box.VaultOptions{Env: cloud.Env()})
	r.serveClouds(t, cloud)
	all := exchangedOf(cloud)
	r.start(t)
	for _, one := range all {
		r.deliverExchanged(t, one)
	}
	first := map[string]string{}
	for _, one := range all {
		first[one.name] = r.awaitLogin(t, one.name, one.registry, one.user, "")
	}
	r.logsInWhile(t, all, func() {
		for _, one := range all {
			if one.registry == amazon { // logins of Azure live for three hours
				r.awaitLogin(t, one.name, amazon, "AWS", first[one.name])
			}
		}
	})
	awaitWithin(t, time.Minute, func(context.Context) error { // the static one, the one in use, and perhaps the next one
		if users := cloud.AWS.Users(); len(users) > 3 {
			return fmt.Errorf("users who are not in use are left at AWS: %v", users)
		}
		return nil
	})

	cloud.AWS.RefuseLogins(true)
	for _, name := range []string{"aws-session", "aws-kv"} {
		awaitWithin(t, time.Minute, r.readingIs("of-"+name, v1alpha1.ReasonExchangeRefused))
		kept := r.awaitLogin(t, name, amazon, "AWS", "")
		var object v1alpha1.RegistryCredential
		vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: "of-" + name}, &object))
		if said := fmt.Sprint(object.Status); strings.Contains(said, box.CloudWords) || strings.Contains(said, kept) || !strings.Contains(said, "AccessDeniedException") {
			t.Errorf("the status lacks the code, or repeats what it must not: %s", said)
		}
		first[name] = kept
	}
	cloud.AWS.RefuseLogins(false)
	for name, kept := range first {
		if name == "aws-session" || name == "aws-kv" {
			r.awaitLogin(t, name, amazon, "AWS", kept)
		}
	}
}

// serveClouds lets the operator and its Vault use the clouds, and keeps in Vault what people would.
func (r *operatorRun) serveClouds(t *testing.T, cloud *box.Cloud) {
	t.Helper()
	ctx := t.Context()
	r.env = cloud.Env()
	r.flags = []string{"--registry-proxy=url=" + cloud.ProxyURL() + ";hosts=*.dkr.ecr.eu-west-1.amazonaws.com,*.azurecr.io"}
	cloud.AWS.SetECRLife(30 * time.Second)
	cloud.AWS.SetECRLag(4 * time.Second)
	cloud.AWS.AddUser("static")
	vaultMust(t, cloud.Serve(ctx, r.registry))
	vaultMust(t, r.vault.Policy(ctx, "regcred", policyOfClouds))
	vaultMust(t, r.vault.MountAWS(ctx, cloud, box.AWSEngine{LeaseSeconds: 600, LeaseMaxSeconds: 1200, StaticUser: "static"}))
	vaultMust(t, r.vault.MountAzure(ctx, cloud, 600, 1200))
	for path, data := range map[string]map[string]any{
		"platform/aws":   cloud.AWS.SessionKeys(),
		"platform/azure": {"client_id": cloud.Azure.ClientID, "client_secret": cloud.Azure.ClientSecret, "tenant_id": cloud.Azure.Tenant},
	} {
		_, err := r.vault.WriteKV2(ctx, "secret", path, data)
		vaultMust(t, err)
	}
}

// logsInWhile does something, and wants what each namespace has to be taken by the registry all the while.
func (r *operatorRun) logsInWhile(t *testing.T, all []exchanged, do func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() {
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, one := range all {
				if err := r.logsIn(ctx, one); err != nil && ctx.Err() == nil {
					watched <- err
					return
				}
			}
			select {
			case <-ctx.Done():
				watched <- nil
				return
			case <-tick.C:
			}
		}
	}()
	do()
	stop()
	if err := <-watched; err != nil {
		t.Error(err)
	}
}

// logsIn asks the registry whether it takes what a namespace has.
func (r *operatorRun) logsIn(ctx context.Context, one exchanged) error {
	var secret corev1.Secret
	if err := r.admin.Get(ctx, client.ObjectKey{Namespace: one.name, Name: "regcred"}, &secret); err != nil {
		return err
	}
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return err
	}
	status, err := r.registry.TryLogin(ctx, config[one.registry].Username(), config[one.registry].Password())
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("what namespace %s has is answered with %d", one.name, status)
	}
	return err
}

// deliverExchanged delivers a login to a namespace of its name.
func (r *operatorRun) deliverExchanged(t *testing.T, one exchanged) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: one.name}}))
	vaultMust(t, r.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: one.name, Name: "default"}}))
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "of-" + one.name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(one.registry)},
			Source:               v1alpha1.Source{Vault: &one.source},
			RefreshPeriodSeconds: new(int32(5)),
			Target:               v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(one.name)}},
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
