package overview_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/overview"
)

func TestHowFarARefreshHasCome(t *testing.T) {
	unhandled := func(o *v1alpha1.RegistryCredential) { o.Status.LastHandledRefresh = "before" }
	verified := func(status metav1.ConditionStatus, reason string) change {
		return says(v1alpha1.ConditionVerified, status, reason, "the registry's words")
	}
	available := says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionFalse, v1alpha1.ReasonUnavailable, "Vault does not answer")
	notThere := says(v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonNamespaceNotFound, "the name is wrong")
	newValue := says(v1alpha1.ConditionRotationComplete, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "")
	for _, test := range []struct {
		name    string
		changes []change
		stage   overview.Stage
		failed  bool
		says    string
	}{
		{"the operator did not answer", []change{unhandled}, overview.StageRequested, false, "waiting for the operator"},
		{"the operator answered for an older spec", []change{func(o *v1alpha1.RegistryCredential) { o.Generation = 3 }}, overview.StageRequested, false, "waiting for the operator"},
		{"it was read, and is the value in use", nil, overview.StageDelivered, false, "may be revoked now"},
		{"somebody removed the annotation before the operator saw it", []change{unhandled, func(o *v1alpha1.RegistryCredential) { o.Annotations = nil }}, overview.StageRequested, true, "somebody else"},
		{"somebody removed the annotation afterwards", []change{func(o *v1alpha1.RegistryCredential) { o.Annotations = nil }}, overview.StageDelivered, false, ""},
		{"reading is suspended", []change{unhandled, func(o *v1alpha1.RegistryCredential) { o.Spec.Suspend = true }}, overview.StageRequested, true, "spec.suspend"},
		{"it is being deleted", []change{func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }}, overview.StageRequested, true, "deleted"},
		{"Vault is away for a moment", []change{available}, overview.StageRead, false, "Vault does not answer"},
		{"Vault refuses until a person acts", []change{available, stalled(v1alpha1.ReasonUnavailable)}, overview.StageRead, true, "Vault does not answer"},
		{"the secret lacks a key", []change{unreadable(v1alpha1.ReasonKeyMissing)}, overview.StageRead, true, "KeyMissing: what to do"},
		{"there is no secret", []change{unreadable(v1alpha1.ReasonSecretNotFound)}, overview.StageRead, true, "SecretNotFound: what to do"},
		{"a policy forbids it, and something else stalls, too", []change{unreadable(v1alpha1.ReasonPermissionDenied), stalled(v1alpha1.ReasonRemovalUnconfirmed)}, overview.StageRead, true, "PermissionDenied: what to do"},
		{"Vault is away for a moment, and something else stalls", []change{available, stalled(v1alpha1.ReasonRemovalUnconfirmed)}, overview.StageRead, false, "Vault does not answer"},
		{"the source was not read yet", []change{says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "not read yet")}, overview.StageRead, false, "not read yet"},
		{"the read before failed, and this one has no answer", []change{unhandled, unreadable(v1alpha1.ReasonKeyMissing)}, overview.StageRequested, false, "last could not read the source: KeyMissing: what to do"},
		{"the new value is being tested", []change{newValue}, overview.StageRead, false, "asked about now"},
		{"the new value is refused", []change{newValue, verified(metav1.ConditionFalse, v1alpha1.ReasonRejected)}, overview.StageRead, true, "Rejected: the registry's words"},
		{"the new value is held", []change{newValue, verified(metav1.ConditionUnknown, v1alpha1.ReasonHeld)}, overview.StageRead, false, "Held: the registry's words"},
		{"the value in use is refused while the new one is tested", []change{newValue, verified(metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted)}, overview.StageRead, false, ""},
		{"the value in use is refused, and the source has no other", []change{verified(metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted)}, overview.StageRead, true, "NoLongerAccepted"},
		{"it is being delivered", []change{delivering, fails(5, 0)}, overview.StagePublished, false, "revision 7 is in 5 of 13 namespaces"},
		{"it is being delivered, and one fails", []change{delivering, fails(5, 1, v1alpha1.ReasonForeignSecret)}, overview.StagePublished, false, "5 of 13"},
		{"it is everywhere but in one that cannot be served", []change{delivering, fails(12, 1, v1alpha1.ReasonForeignSecret)}, overview.StagePublished, true, "12 of 13 namespaces, and 1 cannot be served; the first, team-a: ForeignSecret"},
		{"it is everywhere but in one that is tried again", []change{delivering, fails(12, 1, v1alpha1.ReasonWriteFailed)}, overview.StagePublished, false, "12 of 13"},
		{"delivery waits for a person", []change{delivering, fails(5, 0), stalled(v1alpha1.ReasonRemovalUnconfirmed)}, overview.StagePublished, true, "RemovalUnconfirmed"},
		{"all have it, and the old one is refused", []change{says(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonOldRefused, "done")}, overview.StageDelivered, false, "done"},
		{"all have it, and the registry did not say whether it accepts it", []change{verified(metav1.ConditionUnknown, v1alpha1.ReasonUnproven),
			says(v1alpha1.ConditionRotationComplete, metav1.ConditionFalse, v1alpha1.ReasonUnproven, "")}, overview.StagePublished, false, "Unproven: the registry's words. The value before may be the only one that works: do not revoke it"},
		{"it is the first one, and the registry did not say whether it accepts it", []change{verified(metav1.ConditionUnknown, v1alpha1.ReasonUnproven),
			says(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonFirstValue, "")}, overview.StagePublished, false, "Unproven: the registry's words"},
		{"it is being delivered, and the registry did not say whether it accepts it", []change{verified(metav1.ConditionUnknown, v1alpha1.ReasonUnproven), delivering, fails(5, 0)},
			overview.StagePublished, false, "revision 7 is in 5 of 13 namespaces"},
		{"all have it, and nobody asks the registry", []change{verified(metav1.ConditionUnknown, v1alpha1.ReasonVerificationOff)}, overview.StageDelivered, false, ""},
		{"the target selects no namespace", []change{says(v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, "correct it")}, overview.StagePublished, true, "NoNamespaces: correct it"},
		{"the target selects no namespace, and the value before may be revoked", []change{says(v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, "correct it"),
			says(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonOldRefused, "done")}, overview.StagePublished, true, "NoNamespaces: correct it"},
		{"the target selects no namespace, and the source cannot be read", []change{says(v1alpha1.ConditionSecretsSynced, metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, "correct it"), available}, overview.StageRead, false, "Vault does not answer"},
		{"no namespace that the target names exists", []change{notThere, fails(0, 13, v1alpha1.ReasonNamespaceNotFound)}, overview.StagePublished, true, "NamespaceNotFound: the name is wrong"},
		{"no namespace that the target names exists, but for one that is being deleted", []change{notThere, fails(0, 13, v1alpha1.ReasonNamespaceNotFound, v1alpha1.ReasonNamespaceTerminating)},
			overview.StagePublished, true, "NamespaceNotFound: the name is wrong"},
		{"one namespace that the target names does not exist", []change{notThere, fails(12, 1, v1alpha1.ReasonNamespaceNotFound)}, overview.StageDelivered, false, ""},
		{"all that exist lack a ServiceAccount", []change{notThere, fails(0, 13, v1alpha1.ReasonNamespaceNotFound, v1alpha1.ReasonServiceAccountNotFound)}, overview.StageDelivered, false, ""},
		{"a namespace does not exist, and nothing is said of others", []change{notThere, func(o *v1alpha1.RegistryCredential) { o.Status.Namespaces = nil }}, overview.StageDelivered, false, ""},
		{"nothing is said of the namespaces", []change{without(v1alpha1.ConditionSecretsSynced)}, overview.StageDelivered, false, ""},
		{"an old status lacks conditions", []change{func(o *v1alpha1.RegistryCredential) { o.Status.Conditions = nil }}, overview.StageRead, false, ""},
		{"nothing is said of the source", []change{without(v1alpha1.ConditionCredentialAvailable)}, overview.StageRead, false, "did not say yet what the source gave"},
		{"nothing is said of the registry", []change{without(v1alpha1.ConditionVerified)}, overview.StageRead, false, "did not say yet what the source gave"},
		{"nothing is said of the value before", []change{without(v1alpha1.ConditionRotationComplete)}, overview.StageRead, false, "did not say yet what the source gave"},
		{"the source gave a value, and none was ever in use",
			[]change{says(v1alpha1.ConditionRotationComplete, metav1.ConditionUnknown, v1alpha1.ReasonNothingPublished, "")}, overview.StageRead, false, "asked about now"},
		{"it was handled, the spec changed since, and somebody removed the annotation",
			[]change{func(o *v1alpha1.RegistryCredential) { o.Generation, o.Annotations = 3, nil }}, overview.StageRequested, false, "waiting for the operator"},
		{"Vault is away, and waited for a person before", []change{available, says(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonUnavailable, "")}, overview.StageRead, false, "Vault does not answer"},
		{"it is being delivered, and waits for no person", []change{delivering, fails(5, 0), says(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonRemovalUnconfirmed, "")}, overview.StagePublished, false, "5 of 13"},
		{"it is everywhere but in one that is being deleted", []change{delivering, fails(12, 1, v1alpha1.ReasonNamespaceTerminating)}, overview.StagePublished, false, "12 of 13"},
		{"it is being delivered, and nobody knows which", []change{delivering, func(o *v1alpha1.RegistryCredential) { o.Status.Credential = nil }}, overview.StagePublished, false, "the value in use is in 5"},
		{"it is being delivered, and nobody knows where", []change{delivering, func(o *v1alpha1.RegistryCredential) { o.Status.Namespaces = nil }}, overview.StagePublished, false, "the value in use is in 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := overview.ProgressOf(healthy(test.changes...), "now")
			if got.Stage != test.stage || got.Failed != test.failed || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(got.Message, "do not revoke it") != strings.Contains(test.says, "do not revoke it") {
				t.Errorf("of the value before it says: %s", got.Message)
			}
			if delivering := strings.HasPrefix(test.says, "revision 7"); delivering && (got.Selected != 13 || got.Synced == 0) {
				t.Errorf("got %+v", got)
			}
			if got.Done() != (test.failed || test.stage == overview.StageDelivered) {
				t.Errorf("done: %t", got.Done())
			}
		})
	}
}

// The first of those that cannot be served is told, and only that; what it says may be what others wrote.
func TestOfNamespacesThatCannotBeServedTheFirstIsTold(t *testing.T) {
	got := overview.ProgressOf(healthy(delivering, fails(11, 2, v1alpha1.ReasonForeignSecret, v1alpha1.ReasonForeignSecret), func(o *v1alpha1.RegistryCredential) {
		o.Status.Namespaces.Failures[0].Message = "\x1b[2J"
	}), "now").Message
	if want := "revision 7 is in 11 of 13 namespaces, and 2 cannot be served; the first, team-a: ForeignSecret:  [2J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARefreshKnowsWhetherTheSourceCouldBeRead(t *testing.T) {
	unhandled := func(o *v1alpha1.RegistryCredential) { o.Status.LastHandledRefresh = "before" }
	for _, test := range []struct {
		name    string
		changes []change
		want    bool
	}{
		{"it was read", nil, false},
		{"it was read before, and not yet since", []change{unhandled}, false},
		{"it could not be read before, and not yet since", []change{unhandled, unreadable(v1alpha1.ReasonKeyMissing)}, true},
		{"it could not be read by an older spec", []change{unhandled, unreadable(v1alpha1.ReasonKeyMissing), func(o *v1alpha1.RegistryCredential) { o.Generation = 3 }}, false},
		{"it cannot be read for a moment", []change{unreadable(v1alpha1.ReasonUnavailable)}, true},
		{"it was never read", []change{unhandled, says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "")}, false},
		{"it was not read yet by this operator", []change{says(v1alpha1.ConditionCredentialAvailable, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "")}, false},
		{"an old status lacks conditions", []change{unhandled, func(o *v1alpha1.RegistryCredential) { o.Status.Conditions = nil }}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := overview.ProgressOf(healthy(test.changes...), "now"); got.Unreadable != test.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}
