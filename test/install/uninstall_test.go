package install

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

// deletedWithin is longer than the five minutes after which the API server looks at a definition again whose deletion it lost sight of.
const deletedWithin = "--timeout=6m"

// order is one in which people remove regcred. removedStays says that the Secret of deletionPolicy Delete is still there at the end: the
// operator was gone before it was asked to remove it.
type order struct {
	way, name    string
	steps        []func(*testing.T, *installation)
	removedStays bool
}

func orders() []order {
	type steps = []func(*testing.T, *installation)
	return []order{
		{"chart", "release first and installed again then objects first", steps{uninstall, again, objects, uninstall, definitions, namespace}, false},
		{"kustomize", "definitions first", steps{definitions, uninstall}, false},
		{"install.yaml", "policies first", steps{policies, objectsWithoutPolicies, uninstall}, false},
		{"kustomize", "Deployment first", steps{deployment, objectsAlone, uninstall}, true},
		{"install.yaml", "namespace first", steps{namespace, objectsAlone, uninstall}, true},
	}
}

// uninstall is what the tool removes that installed it.
func uninstall(t *testing.T, i *installation) { i.way.uninstall(t) }

// again installs over what an uninstallation left. The Secrets are not made again.
func again(t *testing.T, i *installation) {
	i.secretsAre(t, true)
	i.install(t)
	i.works(t)
	i.secretsAre(t, true)
}

// objects are removed while the operator runs: deletionPolicy is followed.
func objects(t *testing.T, _ *installation) {
	kubectl(t, "delete", "registrycredentials,vaultconnections", "--all", deletedWithin)
}

// objectsWithoutPolicies are removed while the operator runs. It removes entries until it notices that its policies are gone, and then waits for
// them, as docs/install.md says.
func objectsWithoutPolicies(t *testing.T, i *installation) {
	kubectl(t, "delete", "registrycredentials", "--all", "--wait=false")
	removedIsGone := func(ctx context.Context) error { return gone(ctx, removed) }
	if scenario.Await(t.Context(), 20*time.Second, removedIsGone) == nil {
		return
	}
	var connection v1alpha1.VaultConnection
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection))
	if !meta.IsStatusConditionTrue(connection.Status.Conditions, v1alpha1.ConditionUnfenced) {
		t.Errorf("the operator removes nothing, and does not say that its policies are gone: %+v", connection.Status.Conditions)
	}
	i.way.install(t)
	await(t, time.Minute, removedIsGone)
}

// objectsAlone are removed when the operator is gone. The one that waits for it is let go as docs/runbook.md says.
func objectsAlone(t *testing.T, _ *installation) {
	kubectl(t, "delete", "registrycredentials", "--all", "--wait=false")
	if err := gone(t.Context(), kept); err != nil {
		t.Error(err)
	}
	var waits v1alpha1.RegistryCredential
	must(t, s.Client.Get(t.Context(), client.ObjectKey{Name: removed}, &waits))
	if waits.DeletionTimestamp == nil || len(waits.Finalizers) != 1 {
		t.Errorf("it should wait for the operator with one finalizer: %v %v", waits.DeletionTimestamp, waits.Finalizers)
	}
	kubectl(t, "patch", "registrycredential", removed, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
}

func gone(ctx context.Context, name string) error {
	err := s.Client.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.RegistryCredential{})
	if err == nil {
		return fmt.Errorf("RegistryCredential %s is still there", name)
	}
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil
	}
	return err
}

func definitions(t *testing.T, _ *installation) {
	kubectl(t, "delete", "crd", "registrycredentials.regcred.dev", "vaultconnections.regcred.dev", "injectionindexes.regcred.dev", deletedWithin)
}

func namespace(t *testing.T, _ *installation) {
	kubectl(t, "delete", "namespace", scenario.SystemNamespace, deletedWithin)
}

func deployment(t *testing.T, _ *installation) {
	kubectl(t, "-n", scenario.SystemNamespace, "delete", "deployment", "regcred", "--cascade=foreground", deletedWithin)
}

func policies(t *testing.T, _ *installation) {
	kubectl(t, "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-l", "app.kubernetes.io/part-of=regcred")
}

// nothingIsLeft sees that no object of regcred's is there, and none that waits.
func (i *installation) nothingIsLeft(t *testing.T) {
	t.Helper()
	await(t, time.Minute, func(ctx context.Context) error {
		err := s.Client.Get(ctx, client.ObjectKey{Name: scenario.SystemNamespace}, &corev1.Namespace{})
		if err == nil {
			return errors.New("the operator's namespace is still there")
		}
		return client.IgnoreNotFound(err)
	})
	for _, kind := range []schema.GroupVersionKind{
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicy"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
	} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		must(t, s.Client.List(t.Context(), list))
		for _, object := range list.Items {
			if strings.Contains(object.Name, "regcred") {
				t.Errorf("%s %s is left, with finalizers %v", kind.Kind, object.Name, object.Finalizers)
			}
		}
	}
}

// secretsAre sees that the Secrets that are to stay are those from before with nothing that holds them, and that the pods run on.
func (i *installation) secretsAre(t *testing.T, removedStays bool) {
	t.Helper()
	for _, name := range []string{kept, removed} {
		if name == removed && !removedStays {
			err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: i.namespace(name), Name: secretName}, &corev1.Secret{})
			if !apierrors.IsNotFound(err) {
				t.Errorf("the Secret of deletionPolicy Delete: %v", err)
			}
			continue
		}
		secret := i.secret(t, name)
		if secret.UID != i.uids[name] || len(secret.Finalizers) > 0 || len(secret.OwnerReferences) > 0 {
			t.Errorf("the Secret of %s is %s with finalizers %v and owners %v, and was %s", name, secret.UID, secret.Finalizers, secret.OwnerReferences, i.uids[name])
		}
		must(t, s.Fresh(secretName, i.password, i.namespace(name))(t.Context()))
	}
	must(t, s.Running("web", i.image, i.namespace(kept), i.namespace(removed))(t.Context()))
}

// clearUp removes the application, and what a failed pass left of regcred, so that it fails alone.
func (i *installation) clearUp(t *testing.T) {
	ctx := context.WithoutCancel(t.Context()) // the test's own has ended
	remove := func(arguments ...string) {
		if err := s.Kubectl(ctx, append([]string{"delete", "--ignore-not-found", deletedWithin}, arguments...)...); err != nil {
			t.Log(err)
		}
	}
	if t.Failed() {
		_ = s.Kubectl(ctx, "patch", "registrycredential", removed, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`) // where it is there
		remove("-k", filepath.Join("..", "..", "config", "default"))
	}
	remove("--wait=false", "namespace", i.namespace(kept), i.namespace(removed))
}
