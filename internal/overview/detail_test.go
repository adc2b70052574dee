package overview_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/overview"
)

// All that is told of one RegistryCredential, of which each text may be what others wrote.
func TestADetailTellsAllOfARegistryCredentialAndNothingThatActsOnATerminal(t *testing.T) {
	const raw = "\x1b[2Jx"
	shown, before, since := " [2Jx", noon.Add(-time.Hour), noon.Add(-time.Minute)
	object := healthy(func(o *v1alpha1.RegistryCredential) {
		o.Spec.Registries = []v1alpha1.Registry{raw, "r.example"}
		o.Spec.Source.Vault = &v1alpha1.VaultSource{Mount: raw, Path: raw, Engine: raw, Connection: raw}
		o.Status.Credential.ProvenBy = raw
		o.Status.Previous.Revision, o.Status.Previous.Registry, o.Status.Previous.Namespaces = raw, raw, 3
		o.Status.PendingRemoval = &v1alpha1.PendingRemovalStatus{ID: raw}
		o.Status.Namespaces.Failed = 2
		o.Status.Namespaces.Failures = []v1alpha1.NamespaceFailure{{Namespace: raw, Reason: raw, Message: raw}}
		o.Status.Conditions = []metav1.Condition{{Type: raw, Status: metav1.ConditionFalse, Reason: raw, Message: raw, LastTransitionTime: metav1.NewTime(since)}}
	})
	want := overview.Detail{
		Row:        overview.RowOf(object, noon),
		Registries: []string{shown, "r.example"},
		Place:      "Vault, mount " + shown + ", path " + shown + " (" + shown + "), through VaultConnection " + shown,
		Proof:      shown,
		Conditions: []overview.Condition{{Type: shown, Status: metav1.ConditionFalse, Reason: shown, Message: shown, Since: &since}},
		Previous:   &overview.Previous{Revision: shown, ReplacedTime: &before, Registry: shown, Namespaces: 3},
		Revocation: overview.RevokeLater,
		Removal:    shown,
		Failed:     2,
		Failures:   []overview.Failure{{Namespace: shown, Reason: shown, Message: shown}},
	}
	if diff := cmp.Diff(want, overview.DetailOf(object, noon)); diff != "" {
		t.Errorf("wanted (-) and told (+):\n%s", diff)
	}
	object.Spec.Source.Vault = nil
	if got := overview.DetailOf(object, noon).Place; got != "no source that this version of the plugin knows" {
		t.Errorf("of another source it says %q", got)
	}
}

// A status in which nothing is yet is told as such.
func TestADetailOfARegistryCredentialThatNobodyLookedAt(t *testing.T) {
	object := healthy(func(o *v1alpha1.RegistryCredential) { o.Status = v1alpha1.RegistryCredentialStatus{} })
	want := overview.Detail{
		Row: overview.RowOf(object, noon), Registries: []string{"registry.company.io"}, Conditions: []overview.Condition{}, Revocation: overview.RevokeNothing,
		Place: "Vault, mount secret, path platform/company (KVv2), through VaultConnection default",
	}
	if diff := cmp.Diff(want, overview.DetailOf(object, noon)); diff != "" {
		t.Errorf("wanted (-) and told (+):\n%s", diff)
	}
}
