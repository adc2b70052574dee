package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/test/box"
)

// TestAnUpgradeAndTheWayBackLoseNothing: between two versions of the chart no Secret, record or status is lost. A record that a newer
// version kept is left alone after the way back, and said. After the uninstall the Secrets stay, and nothing is held.
func TestAnUpgradeAndTheWayBackLoseNothing(t *testing.T) {
	t.Parallel()
	c := &chartRun{installation: startAPIServer(t), release: "regcred"}
	c.home, c.account = operatorNamespace, operatorName
	older, newer := chartOfVersion(t, "1.0.0"), chartOfVersion(t, "1.1.0")
	values := "image: {repository: registry.company.io/regcred, tag: v1}\n"
	vaultMust(t, c.helm(t, values, "install", c.release, older, "--create-namespace"))
	r := newOperatorRun(t, c.installation, box.VaultOptions{})
	namespaces := r.makeNamespaces(t, 2)
	r.rotate(t, "one")
	objects := values + chartObjects(r, "regcred")
	vaultMust(t, c.helm(t, objects, "upgrade", c.release, older))
	r.flags = c.operatorArguments(t)
	r.start(t)
	r.awaitKept(t, namespaces, "one")
	before := r.possessions(t, namespaces)
	r.kill(t)

	vaultMust(t, c.helm(t, objects, "upgrade", c.release, newer))
	r.start(t)
	r.awaitRefresh(t, "after-the-upgrade")
	if diff := cmp.Diff(before, r.possessions(t, namespaces)); diff != "" {
		t.Errorf("before the upgrade (-) and after it (+):\n%s", diff)
	}
	r.rotate(t, "two")
	r.awaitRefresh(t, "after-the-rotation")
	r.awaitKept(t, namespaces, "two")
	r.kill(t)

	r.keepAsNewer(t)
	before = r.possessions(t, namespaces)
	vaultMust(t, c.helm(t, "", "rollback", c.release, "2"))
	r.start(t)
	awaitAPI(t, "the newer record is said", func() error { return r.saysNewer(t) })
	r.holdsNewer(t)
	after := r.possessions(t, namespaces)
	if after.Ready == before.Ready {
		t.Error("Ready is what it was")
	}
	after.Ready = before.Ready
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("before the way back (-) and after it (+):\n%s", diff)
	}

	vaultMust(t, r.admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.home, Name: "regcred-published-company"}}))
	r.awaitRefresh(t, "after-the-record-is-gone")
	r.awaitKept(t, namespaces, "two")
	if now := r.possessions(t, namespaces); !cmp.Equal(now.Secrets, before.Secrets) {
		t.Errorf("pull Secrets before the record was deleted (-) and after (+):\n%s", cmp.Diff(before.Secrets, now.Secrets))
	}
	r.kill(t)
	vaultMust(t, c.helm(t, "", "uninstall", c.release))
	r.kubectl(t, "delete", "--wait=false", "-k", configFolder("crd"))
	awaitAPI(t, "nothing holds the definitions", func() error {
		if err := r.admin.List(t.Context(), &v1alpha1.RegistryCredentialList{}); !isGoneOrUnknown(err) || err == nil {
			return fmt.Errorf("the kind is still served: %v", err)
		}
		return nil
	})
	for _, namespace := range namespaces {
		vaultMust(t, r.holds(t, client.ObjectKey{Namespace: namespace, Name: "regcred"}, "two"))
	}
}

// chartOfVersion is a copy of the chart that says that it is of a version.
func chartOfVersion(t *testing.T, version string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "regcred")
	vaultMust(t, os.CopyFS(folder, os.DirFS(filepath.Join("..", "..", "charts", "regcred"))))
	file := filepath.Join(folder, "Chart.yaml")
	text, err := os.ReadFile(file)
	vaultMust(t, err)
	changed := strings.ReplaceAll(string(text), "ersion: 0.0.0-dev\n", "ersion: "+version+"\n")
	if strings.Count(changed, version) != 2 {
		t.Fatal("the chart does not say its version as it did")
	}
	vaultMust(t, os.WriteFile(file, []byte(changed), 0o600))
	return folder
}

// possessions are what must not be lost: who holds what since when, by UID and content.
type possessions struct {
	// Secrets of the namespaces, and the ServiceAccounts there.
	Secrets, Accounts map[string]string
	// Record is the UID of what is kept.
	Record string
	// Credential is the part of the status that says what is in use, and Ready when it last changed.
	Credential *v1alpha1.CredentialStatus
	Ready      string
}

func (r *operatorRun) possessions(t *testing.T, namespaces []string) possessions {
	t.Helper()
	found := possessions{Secrets: map[string]string{}, Accounts: map[string]string{}}
	for _, namespace := range namespaces {
		var secret corev1.Secret
		vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret))
		found.Secrets[namespace] = fmt.Sprintf("%s %s %s", secret.UID, secret.Type, secret.Data[corev1.DockerConfigJsonKey])
		var account corev1.ServiceAccount
		vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "default"}, &account))
		found.Accounts[namespace] = fmt.Sprintf("%s %v", account.UID, account.ImagePullSecrets)
	}
	var record corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: r.home, Name: "regcred-published-company"}, &record))
	object := r.company(t)
	ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	found.Record, found.Credential, found.Ready = string(record.UID), object.Status.Credential, fmt.Sprint(ready.Status, ready.LastTransitionTime.Unix())
	if found.Credential != nil {
		found.Credential.VerifiedTime = nil // a test that was made since is no loss
	}
	return found
}

func (r *operatorRun) company(t *testing.T) *v1alpha1.RegistryCredential {
	t.Helper()
	var object v1alpha1.RegistryCredential
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: "company"}, &object))
	return &object
}

// awaitKept waits until all namespaces hold a password and the object is Ready.
func (r *operatorRun) awaitKept(t *testing.T, namespaces []string, password string) {
	t.Helper()
	awaitAPI(t, "all namespaces hold "+password, func() error {
		if object := r.company(t); !meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReady) || object.Status.Credential == nil {
			return errors.New("it is not Ready")
		}
		return r.allHold(t.Context(), namespaces, password)
	})
}

// awaitRefresh waits until the operator has handled a request to read the source: it works then.
func (r *operatorRun) awaitRefresh(t *testing.T, request string) {
	t.Helper()
	object := r.company(t)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RefreshRequestedAtAnnotation, request)
	vaultMust(t, r.admin.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))))
	awaitAPI(t, "the operator reads the source "+request, func() error {
		if handled := r.company(t).Status.LastHandledRefresh; handled != request {
			return fmt.Errorf("it handled %q", handled)
		}
		return nil
	})
}

// keepAsNewer turns the record into one of a version that is not written yet.
func (r *operatorRun) keepAsNewer(t *testing.T) {
	t.Helper()
	var record corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: r.home, Name: "regcred-published-company"}, &record))
	memo := map[string]any{}
	vaultMust(t, json.Unmarshal(record.Data["memo"], &memo))
	memo["format"], memo["moon"] = records.Format+1, "full"
	var err error
	record.Data["memo"], err = json.Marshal(memo)
	vaultMust(t, err)
	vaultMust(t, r.admin.Update(t.Context(), &record))
}

// holdsNewer fails where the record lost what this version does not know.
func (r *operatorRun) holdsNewer(t *testing.T) {
	t.Helper()
	var record corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: r.home, Name: "regcred-published-company"}, &record))
	if memo := string(record.Data["memo"]); !strings.Contains(memo, `"moon":"full"`) || !strings.Contains(memo, fmt.Sprintf(`"format":%d`, records.Format+1)) {
		t.Error("the newer record was written")
	}
}

// saysNewer reports whether the object says that its record is left alone, and what to do.
func (r *operatorRun) saysNewer(t *testing.T) error {
	t.Helper()
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		c := meta.FindStatusCondition(r.company(t).Status.Conditions, kind)
		if c == nil || c.Reason != v1alpha1.ReasonRecordNewer || !strings.Contains(c.Message, "delete Secret regcred-published-company in "+r.home) {
			return fmt.Errorf("%s is %v", kind, c)
		}
	}
	return nil
}
