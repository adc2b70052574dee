package diagnosis

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatAStatusSaysOfTheValueInUse(t *testing.T) {
	verified := func(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "of another condition"},
			{Type: v1alpha1.ConditionVerified, Status: status, Reason: reason, Message: message}}
	}
	for _, test := range []struct {
		name       string
		provenBy   string
		conditions []metav1.Condition
		rejected   string
		accepted   time.Time
	}{
		{"it is refused", "", verified(metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted, "it answers 401"), "it answers 401", time.Time{}},
		{"it is accepted", "Pull", verified(metav1.ConditionTrue, v1alpha1.ReasonAccepted, ""), "", noon.Add(-time.Minute)},
		{"it is accepted, and a new one is refused", "Login", verified(metav1.ConditionFalse, v1alpha1.ReasonRejected, "it answers 401"), "", noon.Add(-time.Minute)},
		{"it is accepted, and a new one is held", "Login", verified(metav1.ConditionUnknown, v1alpha1.ReasonHeld, ""), "", noon.Add(-time.Minute)},
		{"nothing is known", "", verified(metav1.ConditionUnknown, v1alpha1.ReasonUnproven, "it answers 429"), "", time.Time{}},
		{"there is no condition yet", "", nil, "", time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := &v1alpha1.RegistryCredentialStatus{Credential: &v1alpha1.CredentialStatus{ProvenBy: test.provenBy}, Conditions: test.conditions}
			if got := StandingOf(status, noon); got.Rejected != test.rejected || !got.Accepted.Equal(test.accepted) {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := StandingOf(&v1alpha1.RegistryCredentialStatus{}, noon); got.Rejected != "" || !got.Accepted.IsZero() {
		t.Errorf("of an empty status: %+v", got)
	}
}

func TestACredentialWithoutVerificationIsNotJudged(t *testing.T) {
	object := &v1alpha1.RegistryCredential{}
	if !CredentialOf(object).Judged {
		t.Error("by default the registry is asked")
	}
	object.Spec.Verification = &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled}
	if CredentialOf(object).Judged {
		t.Error("nobody asks the registry")
	}
}

// Other conditions are False for one namespace's own reasons, or for what was said before.
func TestWhyARegistryCredentialIsNotReadyIsWhatReadySays(t *testing.T) {
	object := &v1alpha1.RegistryCredential{}
	object.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded},
		{Type: v1alpha1.ConditionSecretsSynced, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonForeignSecret, Message: "one of 7"},
	}
	if got := CredentialOf(object).Unready; got != "" {
		t.Errorf("it is Ready, and said is %q", got)
	}
	object.Status.Conditions[0].Status, object.Status.Conditions[0].Reason, object.Status.Conditions[0].Message = metav1.ConditionFalse, v1alpha1.ReasonSealed, "unseal it"
	if got := CredentialOf(object).Unready; got != "Sealed: unseal it" {
		t.Errorf("it is not Ready, and said is %q", got)
	}
}
