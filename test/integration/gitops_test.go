package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
)

// gitopsRun makes objects in the states that health checks tell apart.
type gitopsRun struct{ *operatorRun }

// TestTheFixturesOfHealthChecksAreReal: what gitops/argocd and hack/gitops judge is word for word what an operator wrote, but for
// addresses, times and revisions. With UPDATE_GITOPS=1 the fixtures are written.
func TestTheFixturesOfHealthChecksAreReal(t *testing.T) {
	t.Parallel()
	r := gitopsRun{startOperatorRun(t)}
	namespaces := r.makeNamespaces(t, 12)
	r.rotate(t, "right")
	_, err := r.vault.WriteKV2(t.Context(), "secret", "platform/wrong", map[string]any{"username": "robot", "password": "wrong"})
	vaultMust(t, err)
	r.create(t, "synced", namespaces[:2], func(*v1alpha1.RegistryCredentialSpec) {})
	r.create(t, "deleting", namespaces[2:3], func(s *v1alpha1.RegistryCredentialSpec) { s.DeletionPolicy = v1alpha1.DeletionDelete })
	r.create(t, "removal-unconfirmed", namespaces[3:9], func(*v1alpha1.RegistryCredentialSpec) {})
	r.create(t, "rejected", namespaces[9:10], func(s *v1alpha1.RegistryCredentialSpec) { s.Source.Vault.Path = "platform/wrong" })
	r.create(t, "source-missing", namespaces[10:11], func(s *v1alpha1.RegistryCredentialSpec) { s.Source.Vault.Path = "platform/nowhere" })
	r.create(t, "suspended", namespaces[11:], func(s *v1alpha1.RegistryCredentialSpec) { s.Suspend = true })
	r.create(t, "no-namespaces", nil, func(s *v1alpha1.RegistryCredentialSpec) {
		s.Target = v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"served": "never"}}}
	})
	r.matches(t, credentialKind, "synced", "new") // before any operator looked at it
	r.matches(t, connectionKind, v1alpha1.DefaultConnection, "new")
	refused := &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "login-failed"}, Spec: v1alpha1.VaultConnectionSpec{
		Address: r.vault.Address, Auth: v1alpha1.VaultAuth{Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "vault-token", Key: "nothing"}}},
	}}
	vaultMust(t, r.admin.Create(t.Context(), refused))
	r.start(t)
	for _, state := range []string{"synced", "rejected", "source-missing", "suspended", "no-namespaces"} {
		r.matches(t, credentialKind, state, state)
	}
	r.matches(t, connectionKind, v1alpha1.DefaultConnection, "connected")
	r.matches(t, connectionKind, "login-failed", "login-failed")
	r.losesMany(t)
	r.matches(t, credentialKind, "removal-unconfirmed", "removal-unconfirmed")
	vaultMust(t, r.vault.Seal(t.Context()))
	r.matches(t, credentialKind, "synced", "vault-sealed")
	r.kill(t)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"refreshPeriodSeconds":7}}`))
	vaultMust(t, r.admin.Patch(t.Context(), objectNamed(credentialKind, "synced"), patch))
	r.matches(t, credentialKind, "synced", "spec-changed")
	vaultMust(t, r.admin.Delete(t.Context(), objectNamed(credentialKind, "deleting")))
	r.matches(t, credentialKind, "deleting", "deleting")
}

const credentialKind, connectionKind = "RegistryCredential", "VaultConnection"

func objectNamed(kind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetName(name)
	return object
}

func (r gitopsRun) create(t *testing.T, name string, namespaces []string, change func(*v1alpha1.RegistryCredentialSpec)) {
	t.Helper()
	period := int32(5)
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RegistryCredentialSpec{
		Registries:           []v1alpha1.Registry{v1alpha1.Registry(r.registry.Basic)},
		Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: operatorPath}},
		RefreshPeriodSeconds: &period,
	}}
	for _, namespace := range namespaces {
		object.Spec.Target.Namespaces = append(object.Spec.Target.Namespaces, v1alpha1.NamespaceName(namespace))
	}
	change(&object.Spec)
	vaultMust(t, r.admin.Create(t.Context(), object))
}

// losesMany takes a credential from so many namespaces that it waits for a confirmation.
func (r gitopsRun) losesMany(t *testing.T) {
	t.Helper()
	key := client.ObjectKey{Name: "removal-unconfirmed"}
	var object v1alpha1.RegistryCredential
	awaitAPI(t, "six namespaces are served", func() error {
		err := r.admin.Get(t.Context(), key, &object)
		if err == nil && (object.Status.Namespaces == nil || object.Status.Namespaces.Synced != 6) {
			err = fmt.Errorf("%+v", object.Status.Namespaces)
		}
		return err
	})
	patch := `{"spec":{"target":{"namespaces":["team-elsewhere"]}}}`
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-elsewhere"}}))
	vaultMust(t, r.admin.Patch(t.Context(), &object, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// matches waits until an object is what the fixture of a state says.
func (r gitopsRun) matches(t *testing.T, kind, name, state string) {
	t.Helper()
	file := filepath.Join("..", "..", "gitops", "argocd", "resource_customizations", "regcred.dev", kind, "testdata", state+".yaml")
	if os.Getenv("UPDATE_GITOPS") != "" {
		vaultMust(t, os.WriteFile(file, r.settled(t, kind, name), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	vaultMust(t, err)
	var got []byte
	for end := time.Now().Add(time.Minute); ; {
		if got = r.neutral(t, kind, name); bytes.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s is not what an operator writes; UPDATE_GITOPS=1 writes what it does (-fixture +now):\n%s", file, cmp.Diff(string(want), string(got)))
			return
		}
		<-time.After(100 * time.Millisecond) // between two looks
	}
}

// settled is the object once it did not change for a while.
func (r gitopsRun) settled(t *testing.T, kind, name string) []byte {
	t.Helper()
	last, since := r.neutral(t, kind, name), time.Now()
	for time.Since(since) < 8*time.Second {
		<-time.After(200 * time.Millisecond) // between two looks
		if now := r.neutral(t, kind, name); !bytes.Equal(now, last) {
			last, since = now, time.Now()
		}
	}
	return last
}

var (
	aTime     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	aRevision = regexp.MustCompile(`\b1-[0-9a-f]{8}\b`)
	anID      = regexp.MustCompile(`\b(confirm-removal=|id: )[a-z2-7]{8}\b`)
)

// neutral is an object without what differs from run to run.
func (r gitopsRun) neutral(t *testing.T, kind, name string) []byte {
	t.Helper()
	object := objectNamed(kind, name)
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: name}, object))
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(object.Object, "status", "previous")
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	vaultMust(t, err)
	slices.SortFunc(conditions, func(a, b any) int {
		return strings.Compare(fmt.Sprint(a.(map[string]any)["type"]), fmt.Sprint(b.(map[string]any)["type"]))
	})
	if len(conditions) > 0 {
		vaultMust(t, unstructured.SetNestedSlice(object.Object, conditions, "status", "conditions"))
	}
	text, err := yaml.Marshal(object)
	vaultMust(t, err)
	neutral := strings.NewReplacer(r.vault.Address, "https://vault.company.io:8200", r.registry.Basic, "registry.company.io").Replace(string(text))
	neutral = aTime.ReplaceAllString(neutral, "2026-03-01T12:00:00Z")
	neutral = aRevision.ReplaceAllString(neutral, "1-9a73a72f")
	return []byte(anID.ReplaceAllString(neutral, "${1}abcdefgh"))
}
