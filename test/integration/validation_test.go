package integration

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
)

const validCredential = `
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {name: tried}
spec:
  registries: [registry.company.io]
  source: {vault: {mount: secret, path: platform/registries/company}}
  target: {namespaces: [prod]}
`

const validConnection = `
apiVersion: regcred.dev/v1alpha1
kind: VaultConnection
metadata: {name: tried}
spec:
  address: https://vault.company.io:8200
  auth: {kubernetes: {role: regcred}}
`

// TestASpecThatCannotWorkIsRefusedWithASentence applies changed manifests to a real API server, which has to say why.
func TestASpecThatCannotWorkIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	for manifest, groups := range map[string][][]specCase{
		validCredential: {{{name: "the shortest RegistryCredential"}}, registryCases(), sourceCases(), verificationCases(), targetCases()},
		validConnection: {{{name: "the shortest VaultConnection"}}, connectionCases()},
	} {
		for _, test := range slices.Concat(groups...) {
			t.Run(test.name, func(t *testing.T) {
				err := c.admin.Create(t.Context(), changed(t, manifest, test.path, test.value), client.DryRunAll)
				switch {
				case test.says == "" && err != nil:
					t.Errorf("refused: %v", err)
				case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
					t.Errorf("got %v, want a refusal that says %q", err, test.says)
				}
			})
		}
	}
	t.Run("the samples", func(t *testing.T) {
		c.kubectl(t, "apply", "--dry-run=server", "-k", configFolder("samples"))
	})
}

func changed(t *testing.T, manifest, path string, value any) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		t.Fatal(err)
	}
	if path != "" {
		if err := unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...); err != nil {
			t.Fatal(err)
		}
	}
	return object
}

// TestWhatOnlyShowsAtRunTimeBecomesACondition breaks one thing after the other under the running program. Nothing in the
// namespaces changes by it, and what is fixed is noticed without a restart.
func TestWhatOnlyShowsAtRunTimeBecomesACondition(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 2)
	r.rotate(t, "good")
	r.start(t)
	r.applyCredential(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "good") })
	before := r.resourceVersions(t, namespaces)
	for _, test := range []struct {
		name      string
		change    func(*v1alpha1.RegistryCredentialSpec)
		condition string
		reason    string
	}{
		{"a path at which nothing was ever written", func(s *v1alpha1.RegistryCredentialSpec) { s.Source.Vault.Path = "platform/nothing" }, v1alpha1.ConditionCredentialAvailable, v1alpha1.ReasonSecretNotFound},
		{"a path that the policy does not allow", func(s *v1alpha1.RegistryCredentialSpec) { s.Source.Vault.Path = "elsewhere" }, v1alpha1.ConditionCredentialAvailable, v1alpha1.ReasonPermissionDenied},
		{"a key that the secret lacks", func(s *v1alpha1.RegistryCredentialSpec) {
			s.Source.Vault.Keys = &v1alpha1.VaultKeys{Username: "user", Password: "password"}
		}, v1alpha1.ConditionCredentialAvailable, v1alpha1.ReasonKeyMissing},
		{"a connection that does not exist", func(s *v1alpha1.RegistryCredentialSpec) { s.Source.Vault.Connection = "nowhere" }, v1alpha1.ConditionCredentialAvailable, v1alpha1.ReasonConnectionNotFound},
		{"a Secret name that the role does not allow", func(s *v1alpha1.RegistryCredentialSpec) { s.Target.SecretName = "not-allowed" }, v1alpha1.ConditionStalled, v1alpha1.ReasonSecretNameNotAllowed},
		{"a ServiceAccount that the role does not allow", func(s *v1alpha1.RegistryCredentialSpec) { s.Target.ServiceAccounts = &[]string{"builder"} }, v1alpha1.ConditionStalled, v1alpha1.ReasonServiceAccountNotAllowed},
	} {
		t.Run(test.name, func(t *testing.T) {
			good := r.edit(t, test.change)
			status := metav1.ConditionFalse
			if test.condition == v1alpha1.ConditionStalled {
				status = metav1.ConditionTrue
			}
			awaitWithin(t, 30*time.Second, r.condition(test.condition, status, test.reason))
			awaitWithin(t, 30*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionFalse, test.reason))
			awaitWithin(t, 30*time.Second, func(context.Context) error { return notYet(r.credential(t).Status.Namespaces.Selected == 2) })
			r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) { *s = good })
			awaitWithin(t, 30*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
		})
	}
	for namespace, version := range r.resourceVersions(t, namespaces) {
		if version != before[namespace] {
			t.Errorf("the Secret of %s was written", namespace)
		}
	}
	t.Run("forms that no kubelet can use", func(t *testing.T) { r.unusableForms(t, namespaces) })
}

// unusableForms writes registries as a kubelet never uses them: in the docker config that Vault holds, and in the spec.
func (r *operatorRun) unusableForms(t *testing.T, namespaces []string) {
	host, port, err := net.SplitHostPort(r.registry.Basic)
	if err != nil {
		t.Fatal(err)
	}
	whole := fmt.Sprintf(`{"auths":{"http://%s/v2":{"username":"robot","password":"good"},"registry-1.docker.io":{"username":"of","password":"others"}}}`, r.registry.Basic)
	if _, err := r.vault.WriteKV2(t.Context(), "secret", "platform/whole", map[string]any{"config": whole}); err != nil {
		t.Fatal(err)
	}
	good := r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) {
		s.Source.Vault.Path, s.Source.Vault.Keys = "platform/whole", &v1alpha1.VaultKeys{DockerConfig: "config"}
	})
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionUnusableForm, metav1.ConditionTrue, v1alpha1.ReasonVersionWithoutSlash))
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	if err := r.allHold(t.Context(), namespaces, "good"); err != nil {
		t.Errorf("what the spec does not list is let through, or what it lists is not: %v", err)
	}

	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[0], Name: "with-a-port"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: r.registry.Basic + "/shop/app:1"}}},
	}
	if err := r.admin.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) {
		*s = good
		s.Registries = []v1alpha1.Registry{v1alpha1.Registry(host)}
	})
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionUnusableForm, metav1.ConditionTrue, v1alpha1.ReasonPortMissing))
	var object v1alpha1.RegistryCredential
	if err := r.admin.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionUnusableForm); !strings.Contains(c.Message, host+":"+port) {
		t.Errorf("the message does not say what to list: %s", c.Message)
	}
	r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) { *s = good })
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(ctx, client.ObjectKey{Name: "company"}, &object); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionUnusableForm); c != nil {
			return fmt.Errorf("all is written as it should be, and still there is %+v", c)
		}
		return nil
	})
}

// edit changes the spec and returns what it was.
func (r *operatorRun) edit(t *testing.T, change func(*v1alpha1.RegistryCredentialSpec)) v1alpha1.RegistryCredentialSpec {
	t.Helper()
	var object v1alpha1.RegistryCredential
	if err := r.admin.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	before := object.DeepCopy()
	change(&object.Spec)
	if err := r.admin.Patch(t.Context(), &object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	return before.Spec
}
