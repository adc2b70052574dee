package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

const serverIDOfRuns = "vault.company.io"

// TestVaultLoginByCloud runs the operator where all clouds give it an identity at once: a role of AWS as EKS does, a service
// account as GKE does, and a managed identity. The clouds are stand-ins, Vault and its auth methods are real.
func TestVaultLoginByCloud(t *testing.T) {
	t.Parallel()
	cloud := box.CloudForTest(t)
	r := startOperatorRunWith(t, box.VaultOptions{Env: cloud.Env()})
	r.flags = []string{"--log-level=debug", "--vault-addresses=" + r.vault.Address}
	r.env = slices.Concat(cloud.Env(), cloud.AWS.WebIdentityEnv(), cloud.GCP.Env(), cloud.Azure.Env())
	r.enableClouds(t, cloud)
	r.rotate(t, "password-of-the-cloud")
	r.start(t)
	logins := map[string]v1alpha1.VaultAuth{
		"aws":   {AWS: &v1alpha1.AWSAuth{Role: "regcred", Region: cloud.AWS.Region, ServerID: serverIDOfRuns}},
		"gcp":   {GCP: &v1alpha1.GCPAuth{Role: "regcred", ServiceAccountEmail: cloud.GCP.Account}},
		"azure": {Azure: &v1alpha1.AzureAuth{Role: "regcred", Resource: cloud.Azure.Resource}},
	}
	for name, auth := range logins {
		t.Run(name+": a credential is read with the cloud's identity and delivered", func(t *testing.T) {
			r.connectWith(t, name, auth)
			awaitWithin(t, time.Minute, r.connectionIs(name, metav1.ConditionTrue, v1alpha1.ReasonConnected))
			r.deliverThrough(t, name)
			awaitWithin(t, time.Minute, func(ctx context.Context) error {
				return r.allHold(ctx, []string{"of-" + name}, "password-of-the-cloud")
			})
		})
	}
	elsewhere := *logins["aws"].AWS
	elsewhere.Region = "us-east-2"
	nothing := func(bool) {}
	for name, test := range map[string]struct {
		auth   v1alpha1.VaultAuth
		refuse func(bool)
		says   string
	}{
		"aws-gives-no-identity":           {logins["aws"], cloud.AWS.Refuse, "AWS gives the operator no identity"},
		"aws-does-not-accept-a-signature": {v1alpha1.VaultAuth{AWS: &elsewhere}, nothing, "spec.auth.aws.region"},
		"gcp-signs-nothing":               {logins["gcp"], cloud.GCP.Refuse, "Google signs no JWT for " + cloud.GCP.Account},
		"azure-gives-no-token":            {logins["azure"], cloud.Azure.Refuse, "Azure gives the operator no token for " + cloud.Azure.Resource},
		"aws-role-of-another-principal":   {v1alpha1.VaultAuth{AWS: &v1alpha1.AWSAuth{Role: "other", Region: cloud.AWS.Region, ServerID: serverIDOfRuns}}, nothing, `role "other" must bind`},
		"gcp-role-of-another-account":     {v1alpha1.VaultAuth{GCP: &v1alpha1.GCPAuth{Role: "other", ServiceAccountEmail: cloud.GCP.Account}}, nothing, `role "other" must be`},
		"azure-role-of-another-principal": {v1alpha1.VaultAuth{Azure: &v1alpha1.AzureAuth{Role: "other", Resource: cloud.Azure.Resource}}, nothing, `role "other" must bind`},
	} {
		t.Run(name, func(t *testing.T) {
			test.refuse(true)
			defer test.refuse(false)
			r.connectWith(t, name, test.auth)
			r.deliverThrough(t, name)
			awaitWithin(t, time.Minute, r.connectionIs(name, metav1.ConditionFalse, v1alpha1.ReasonLoginFailed))
			awaitWithin(t, time.Minute, r.readingIs("through-"+name, v1alpha1.ReasonLoginFailed))
			var object v1alpha1.VaultConnection
			vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: name}, &object))
			if ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(ready.Message, test.says) {
				t.Errorf("the message does not say %q: %s", test.says, ready.Message)
			}
		})
	}
	t.Run("nobody asked for the identity of a node of AWS", func(t *testing.T) {
		for _, request := range cloud.Asked() {
			if strings.Contains(request, "169.254.169.254/latest/") {
				t.Errorf("somebody asked: %s", request)
			}
		}
	})
	t.Run("nothing that a cloud says is repeated", func(t *testing.T) { r.wantNowhere(t, box.CloudWords) })
}

// enableClouds lets the identities of the clouds log in at Vault with the role regcred. The role other is for somebody else.
func (r *operatorRun) enableClouds(t *testing.T, cloud *box.Cloud) {
	t.Helper()
	ctx, policies := t.Context(), []string{"regcred"}
	credentials := vaultFile(t, cloud.GCP.CredentialsFile)
	for _, role := range []struct{ name, suffix string }{{"regcred", ""}, {"other", "2"}} {
		vaultMust(t, r.vault.EnableAWSAuth(ctx, box.AWSAuth{
			STSEndpoint: cloud.AWS.STSEndpoint, Region: cloud.AWS.Region, ServerID: serverIDOfRuns,
			Role: role.name, PrincipalARN: cloud.AWS.RoleARN + role.suffix, Policies: policies,
		}))
		vaultMust(t, r.vault.EnableGCPAuth(ctx, box.GCPAuth{
			Credentials: credentials, Role: role.name, ServiceAccount: cloud.GCP.Account + role.suffix, Policies: policies,
		}))
		vaultMust(t, r.vault.EnableAzureAuth(ctx, box.AzureAuth{
			Tenant: cloud.Azure.Tenant, Resource: cloud.Azure.Resource, Role: role.name, Principal: cloud.Azure.Principal + role.suffix, Policies: policies,
		}))
	}
}

func (r *operatorRun) connectWith(t *testing.T, name string, auth v1alpha1.VaultAuth) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.VaultConnectionSpec{Address: r.vault.Address, Auth: auth},
	}))
}

func (r *operatorRun) connectionIs(name string, want metav1.ConditionStatus, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var object v1alpha1.VaultConnection
		if err := r.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != want || ready.Reason != reason {
			return fmt.Errorf("VaultConnection %s: %+v", name, object.Status.Conditions)
		}
		return nil
	}
}

func (r *operatorRun) readingIs(name, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
			return err
		}
		available := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionCredentialAvailable)
		if available == nil || available.Reason != reason {
			return fmt.Errorf("RegistryCredential %s: %+v", name, object.Status.Conditions)
		}
		return nil
	}
}

// deliverThrough makes a namespace, and has the credential that is read through a connection delivered into it.
func (r *operatorRun) deliverThrough(t *testing.T, connection string) {
	t.Helper()
	namespace := "of-" + connection
	vaultMust(t, r.makeNamespace(t.Context(), namespace))
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "through-" + connection},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries: []v1alpha1.Registry{v1alpha1.Registry(r.registry.Basic)},
			Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: connection, Mount: "secret", Path: operatorPath}},
			Target:     v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}},
		},
	}))
}

// wantNowhere wants words to be neither in an object of regcred, nor in an event, nor in the operator's log.
func (r *operatorRun) wantNowhere(t *testing.T, words string) {
	t.Helper()
	for _, list := range []client.ObjectList{&v1alpha1.VaultConnectionList{}, &v1alpha1.RegistryCredentialList{}, &corev1.EventList{}} {
		vaultMust(t, r.admin.List(t.Context(), list))
		if meta.LenList(list) == 0 {
			t.Errorf("there is no %T: nothing is proven by it", list)
		}
		content, err := json.Marshal(list)
		vaultMust(t, err)
		if strings.Contains(string(content), words) {
			t.Errorf("%T repeats %q: %s", list, words, content)
		}
	}
	log, err := os.ReadFile(r.logs)
	vaultMust(t, err)
	if !strings.Contains(string(log), "azure-gives-no-token") {
		t.Error("the log does not name what is refused: nothing is proven by it")
	}
	if strings.Contains(string(log), words) {
		t.Errorf("the log repeats %q:\n%s", words, log)
	}
}
