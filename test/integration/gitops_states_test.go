package integration

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestTheStatesThatGitOpsToolsJudge brings a RegistryCredential and a VaultConnection into each state with the operator's own program,
// and compares it with the object in gitops/ by which the health checks are tested. UPDATE_GITOPS=1 writes those objects.
func TestTheStatesThatGitOpsToolsJudge(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 7)
	r.applyCredential(t)
	r.stateOf(t, "RegistryCredential", "company", "unseen")
	r.stateOf(t, "VaultConnection", v1alpha1.DefaultConnection, "unseen")
	r.setRegistry(t, "first")
	r.start(t)
	for _, state := range gitOpsStates(namespaces) {
		state.reach(t, r)
		awaitWithin(t, time.Minute, r.condition(state.kind, state.status, state.reason))
		r.stateOf(t, "RegistryCredential", "company", state.name)
		if state.connection != "" {
			awaitWithin(t, time.Minute, r.connectionSays(state.ready, cmp.Or(state.connectionReason, state.reason)))
			r.stateOf(t, "VaultConnection", v1alpha1.DefaultConnection, state.connection)
		}
		if state.name == "ready" {
			r.syncedByTools(t, namespaces[0])
		}
	}
	r.unfencedState(t)
}

// gitOpsState is what is done, in this order, and the condition that the RegistryCredential then has.
type gitOpsState struct {
	name                         string
	reach                        func(*testing.T, *operatorRun)
	kind                         string
	status                       metav1.ConditionStatus
	reason                       string
	connection, connectionReason string // the name of the VaultConnection's state, where it is looked at, and its reason
	ready                        metav1.ConditionStatus
}

func gitOpsStates(namespaces []string) []gitOpsState {
	const ready, stalled, reconciling = v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling
	spec := func(change func(*v1alpha1.RegistryCredentialSpec)) func(*testing.T, *operatorRun) {
		return func(t *testing.T, r *operatorRun) { r.edit(t, change) }
	}
	selecting := func(value string) func(*testing.T, *operatorRun) {
		return spec(func(s *v1alpha1.RegistryCredentialSpec) { s.Target.NamespaceSelector.MatchLabels["served"] = value })
	}
	return []gitOpsState{
		{name: "nothing-in-vault", reach: func(*testing.T, *operatorRun) {}, kind: stalled, status: metav1.ConditionTrue, reason: v1alpha1.ReasonSecretNotFound},
		{name: "ready", reach: func(t *testing.T, r *operatorRun) { r.rotate(t, "first") }, kind: ready, status: metav1.ConditionTrue, reason: v1alpha1.ReasonSucceeded,
			connection: "connected", ready: metav1.ConditionTrue, connectionReason: v1alpha1.ReasonConnected},
		{name: "new-value-refused", reach: func(t *testing.T, r *operatorRun) { r.setVault(t, "wrong") }, kind: stalled, status: metav1.ConditionTrue, reason: v1alpha1.ReasonRejected},
		{name: "namespace-not-served", reach: func(t *testing.T, r *operatorRun) {
			r.rotate(t, "second")
			awaitWithin(t, time.Minute, r.condition(ready, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
			r.foreignNamespace(t)
		}, kind: v1alpha1.ConditionSecretsSynced, status: metav1.ConditionFalse, reason: v1alpha1.ReasonForeignSecret},
		{name: "suspended", reach: spec(func(s *v1alpha1.RegistryCredentialSpec) { s.Suspend = true }), kind: ready, status: metav1.ConditionFalse, reason: v1alpha1.ReasonSuspended},
		{name: "vault-sealed", reach: func(t *testing.T, r *operatorRun) {
			r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) { s.Suspend = false })
			vaultMust(t, r.vault.Seal(t.Context()))
		}, kind: reconciling, status: metav1.ConditionTrue, reason: v1alpha1.ReasonSealed, connection: "vault-sealed", ready: metav1.ConditionFalse},
		{name: "login-refused", reach: func(t *testing.T, r *operatorRun) {
			vaultMust(t, r.vault.Unseal(t.Context()))
			r.awaitReading(t, v1alpha1.ReasonRead)
			r.revokeToken(t)
			r.awaitReading(t, v1alpha1.ReasonLoginFailed)
		}, kind: stalled, status: metav1.ConditionTrue, reason: v1alpha1.ReasonLoginFailed, connection: "login-refused", ready: metav1.ConditionFalse},
		{name: "removal-waits", reach: func(t *testing.T, r *operatorRun) {
			r.putToken(t)
			r.awaitReading(t, v1alpha1.ReasonRead)
			selecting("nowhere")(t, r)
		}, kind: stalled, status: metav1.ConditionTrue, reason: v1alpha1.ReasonRemovalUnconfirmed},
		{name: "deletion-waits", reach: func(t *testing.T, r *operatorRun) {
			selecting("yes")(t, r)
			r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) { s.DeletionPolicy = v1alpha1.DeletionDelete })
			awaitWithin(t, time.Minute, r.condition(ready, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
			vaultMust(t, r.admin.Delete(t.Context(), r.credential(t)))
		}, kind: stalled, status: metav1.ConditionTrue, reason: v1alpha1.ReasonRemovalUnconfirmed},
	}
}

// foreignNamespace makes one that is selected once its Secret of somebody else is there.
func (r *operatorRun) foreignNamespace(t *testing.T) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-foreign"}}
	vaultMust(t, r.admin.Create(t.Context(), namespace))
	vaultMust(t, r.admin.Create(t.Context(), theirSecret(namespace.Name)))
	vaultMust(t, r.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "default"}}))
	before := namespace.DeepCopy()
	namespace.Labels = map[string]string{"served": "yes"}
	vaultMust(t, r.admin.Patch(t.Context(), namespace, client.MergeFrom(before)))
}

// unfencedState is that of a VaultConnection whose operator starts where nothing bounds it.
func (r *operatorRun) unfencedState(t *testing.T) {
	t.Helper()
	r.kill(t)
	r.kubectl(t, "delete", "validatingadmissionpolicybinding", "regcred-secrets")
	r.start(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		message, err := r.unfenced(ctx, v1alpha1.DefaultConnection)
		if err == nil && message == "" {
			err = errors.New("it does not say that nothing bounds the operator")
		}
		return err
	})
	r.stateOf(t, "VaultConnection", v1alpha1.DefaultConnection, "unfenced")
}

// stateOf compares an object with the one in gitops/ by its conditions and by what else the checks read.
func (r *operatorRun) stateOf(t *testing.T, kind, name, state string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(v1alpha1.GroupVersion.String())
	object.SetKind(kind)
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: name}, object))
	file := filepath.Join("..", "..", "gitops", "argocd", "resource_customizations", "regcred.dev", kind, "testdata", state+".yaml")
	if os.Getenv("UPDATE_GITOPS") != "" {
		vaultMust(t, os.WriteFile(file, []byte(r.anonymous(t, object)), 0o644)) //nolint:gosec // a file of the repository
		return
	}
	data, err := os.ReadFile(file)
	vaultMust(t, err)
	written := &unstructured.Unstructured{}
	vaultMust(t, yaml.Unmarshal(data, written))
	if diff := gocmp.Diff(judged(t, written), judged(t, object)); diff != "" {
		t.Errorf("%s is not what the operator writes now; UPDATE_GITOPS=1 writes it again (-file +now):\n%s", file, diff)
	}
}

// judged is what health checks read of an object.
func judged(t *testing.T, object *unstructured.Unstructured) map[string]any {
	t.Helper()
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	vaultMust(t, err)
	var said []string
	for _, c := range conditions {
		fields, _ := c.(map[string]any)
		if fields["type"] == v1alpha1.ConditionRotationComplete { // depends on when the registry is asked next
			continue
		}
		said = append(said, fields["type"].(string)+" "+fields["status"].(string)+" "+fields["reason"].(string))
	}
	slices.Sort(said)
	suspended, _, err := unstructured.NestedBool(object.Object, "spec", "suspend")
	vaultMust(t, err)
	_, pending, err := unstructured.NestedMap(object.Object, "status", "pendingRemoval")
	vaultMust(t, err)
	observed, _, err := unstructured.NestedFieldNoCopy(object.Object, "status", "observedGeneration")
	vaultMust(t, err)
	current := observed != nil && observed == any(object.GetGeneration())
	return map[string]any{"conditions": said, "suspended": suspended, "pending": pending, "current": current, "deleting": object.GetDeletionTimestamp() != nil}
}

var (
	timestamps = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	ids        = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	digests    = regexp.MustCompile(`\b(\d+-)[0-9a-f]{8}\b`)
	versions   = regexp.MustCompile(`resourceVersion: "\d+"`)
)

// anonymous is an object as YAML, without what is another one in each run.
func (r *operatorRun) anonymous(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	object.SetManagedFields(nil)
	unstructured.RemoveNestedField(object.Object, "metadata", "annotations", v1alpha1.RefreshRequestedAtAnnotation)
	if len(object.GetAnnotations()) == 0 {
		object.SetAnnotations(nil)
	}
	unstructured.RemoveNestedField(object.Object, "status", "lastHandledRefresh")
	removal, _, err := unstructured.NestedString(object.Object, "status", "pendingRemoval", "id")
	vaultMust(t, err)
	data, err := yaml.Marshal(object.Object)
	vaultMust(t, err)
	text := string(data)
	text = strings.NewReplacer(r.vault.Address, "https://vault.company.io:8200", r.registry.Basic, "registry.company.io").Replace(text)
	if removal != "" {
		text = strings.ReplaceAll(text, removal, "0a1b2c3d")
	}
	text = timestamps.ReplaceAllString(text, "2026-01-01T00:00:00Z")
	text = ids.ReplaceAllString(text, "00000000-0000-0000-0000-000000000001")
	text = digests.ReplaceAllString(text, "${1}0a1b2c3d")
	return versions.ReplaceAllString(text, `resourceVersion: "1"`)
}
