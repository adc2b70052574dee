package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// team makes a namespace with its ServiceAccount default, as a cluster does.
func (rig *deliveryRig) team(t *testing.T, labels map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-", Labels: labels}}
	rig.create(t, namespace)
	rig.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "default"}})
	return namespace.Name
}

func (rig *deliveryRig) teams(t *testing.T, count int, labels map[string]string) []string {
	t.Helper()
	names := make([]string, count)
	for i := range names {
		names[i] = rig.team(t, labels)
	}
	return names
}

// label changes labels of a namespace.
func (rig *deliveryRig) label(t *testing.T, namespace, labels string) {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":%s}}`, labels))
	if err := rig.admin.Patch(t.Context(), object, patch); err != nil {
		t.Fatal(err)
	}
}

func (rig *deliveryRig) create(t *testing.T, object client.Object) {
	t.Helper()
	if err := rig.admin.Create(t.Context(), object); err != nil {
		t.Fatalf("create %T %s: %v", object, object.GetName(), err)
	}
}

// credential makes a RegistryCredential for some namespaces whose path in the source is its own name. What is left of it at the end
// of the test is removed, so that the next test begins without.
func (rig *deliveryRig) credential(t *testing.T, name string, registry string, change func(*v1alpha1.RegistryCredentialSpec)) *v1alpha1.RegistryCredential {
	t.Helper()
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(registry)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: name}},
			RefreshPeriodSeconds: ptr.To[int32](3600),
			Verification:         &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled},
		},
	}
	change(&object.Spec)
	rig.create(t, object)
	t.Cleanup(func() { rig.removeCredential(t, name) })
	return object
}

// removeCredential removes a RegistryCredential and its record, finalizer or not.
func (rig *deliveryRig) removeCredential(t *testing.T, name string) {
	t.Helper()
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}
	ctx := context.Background()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	if err := rig.admin.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
	if err := rig.admin.Patch(ctx, object, patch); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
	record := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "regcred-published-" + name}}
	if err := rig.admin.Delete(ctx, record); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
}

// writeManifest writes a file for kubectl.
func writeManifest(t *testing.T, manifest string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func inNamespaces(names ...string) func(*v1alpha1.RegistryCredentialSpec) {
	return func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Target.Namespaces = nil
		for _, name := range names {
			spec.Target.Namespaces = append(spec.Target.Namespaces, v1alpha1.NamespaceName(name))
		}
	}
}

func withLabels(key, value string) func(*v1alpha1.RegistryCredentialSpec) {
	return func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
}

// edit changes the spec of a RegistryCredential.
func (rig *deliveryRig) edit(t *testing.T, name string, change func(*v1alpha1.RegistryCredential)) {
	t.Helper()
	object := rig.get(t, name)
	before := object.DeepCopy()
	change(object)
	if err := rig.admin.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func (rig *deliveryRig) get(t *testing.T, name string) *v1alpha1.RegistryCredential {
	t.Helper()
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(t.Context(), client.ObjectKey{Name: name}, &object); err != nil {
		t.Fatal(err)
	}
	return &object
}

// rotate puts a new value on the shelf and asks for it to be read now.
func (rig *deliveryRig) rotate(t *testing.T, shelf *shelf, name, password string) {
	t.Helper()
	revision := shelf.put(name, password)
	rig.edit(t, name, func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.RefreshRequestedAtAnnotation, revision)
	})
}

func (rig *deliveryRig) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
}

// holds reports whether a Secret has exactly these passwords by registry. With none, there must be no Secret.
func (rig *deliveryRig) holds(ctx context.Context, namespace, name string, passwords map[string]string) error {
	secret, err := rig.secret(ctx, namespace, name)
	if len(passwords) == 0 {
		if err == nil {
			return fmt.Errorf("there is still a Secret %s in %s", name, namespace)
		}
		return client.IgnoreNotFound(err)
	}
	if err != nil {
		return err
	}
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return err
	}
	if len(config) != len(passwords) {
		return fmt.Errorf("Secret %s in %s holds %d entries, it should hold %d", name, namespace, len(config), len(passwords))
	}
	for registry, password := range passwords {
		if config[registry].Password() != password {
			return fmt.Errorf("Secret %s in %s is stale for %s", name, namespace, registry)
		}
	}
	return nil
}

// delivered reports whether a credential is in the Secret regcred, whatever else is.
func (rig *deliveryRig) delivered(ctx context.Context, namespace, registry, password string) error {
	secret, err := rig.secret(ctx, namespace, "regcred")
	if err != nil {
		return err
	}
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err == nil && config[registry].Password() != password {
		err = fmt.Errorf("the Secret in %s is stale for %s", namespace, registry)
	}
	return err
}

// names reports whether a ServiceAccount has exactly these pull secrets.
func (rig *deliveryRig) names(ctx context.Context, namespace, account string, want ...string) error {
	var object corev1.ServiceAccount
	if err := rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: account}, &object); err != nil {
		return err
	}
	var got []string
	for _, ref := range object.ImagePullSecrets {
		got = append(got, ref.Name)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("ServiceAccount %s in %s names %v, it should name %v", account, namespace, got, want)
	}
	return nil
}

// served reports whether one credential is in the Secret regcred of a namespace and its ServiceAccount default names it.
func (rig *deliveryRig) served(ctx context.Context, namespace, registry, password string) error {
	if err := rig.holds(ctx, namespace, "regcred", map[string]string{registry: password}); err != nil {
		return err
	}
	return rig.names(ctx, namespace, "default", "regcred")
}

// ready reports whether a RegistryCredential is Ready with all that it selects.
func (rig *deliveryRig) ready(ctx context.Context, name string) error {
	return rig.says(ctx, name, v1alpha1.ConditionReady, metav1.ConditionTrue, "", "")
}

// says reports whether a condition has a status, a reason and a part of its message. Empty ones do not count.
func (rig *deliveryRig) says(ctx context.Context, name, kind string, status metav1.ConditionStatus, reason, message string) error {
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	c := meta.FindStatusCondition(object.Status.Conditions, kind)
	if c == nil || c.Status != status || reason != "" && c.Reason != reason || !strings.Contains(c.Message, message) || c.ObservedGeneration != object.Generation {
		return fmt.Errorf("condition %s of %s, generation %d, is %+v", kind, name, object.Generation, c)
	}
	return nil
}

// failure reports whether the status names a namespace with this reason, and a part of the message.
func (rig *deliveryRig) failure(ctx context.Context, name, namespace, reason, message string) error {
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	if object.Status.Namespaces != nil {
		for _, f := range object.Status.Namespaces.Failures {
			if f.Namespace == namespace && f.Reason == reason && strings.Contains(f.Message, message) {
				return nil
			}
		}
	}
	return fmt.Errorf("the status of %s says: %+v", name, object.Status.Namespaces)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func(context.Context) error) {
	t.Helper()
	awaitAPI(t, what, func() error { return condition(t.Context()) })
}

// staysSo sees that a condition goes on to hold for a while.
func staysSo(t *testing.T, what string, length time.Duration, condition func(context.Context) error) {
	t.Helper()
	for deadline := time.Now().Add(length); time.Now().Before(deadline); {
		if err := condition(t.Context()); err != nil {
			t.Fatalf("no longer so: %s: %v", what, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
