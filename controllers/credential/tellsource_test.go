package credential

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/source"
)

func TestEventsTellOfASourceThatGivesNothingUntilAPersonActs(t *testing.T) {
	said := func(status metav1.ConditionStatus, reason string) *v1alpha1.RegistryCredentialStatus {
		return &v1alpha1.RegistryCredentialStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionCredentialAvailable, Status: status, Reason: reason, Message: "what it says"},
		}}
	}
	works, missing := said(metav1.ConditionTrue, v1alpha1.ReasonRead), said(metav1.ConditionFalse, v1alpha1.ReasonKeyMissing)
	stalled, passes := &source.Error{Reason: v1alpha1.ReasonKeyMissing, Stalled: true}, &source.Error{Reason: v1alpha1.ReasonKeyMissing}
	for _, test := range []struct {
		name        string
		fault       *source.Error
		before, now *v1alpha1.RegistryCredentialStatus
		want        []string
	}{
		{"a key is missing from now on", stalled, works, missing, []string{"Warning KeyMissing what it says"}},
		{"a key is missing from the start", stalled, &v1alpha1.RegistryCredentialStatus{}, missing, []string{"Warning KeyMissing"}},
		{"another reason than before", stalled, said(metav1.ConditionFalse, v1alpha1.ReasonPermissionDenied), missing, []string{"Warning KeyMissing"}},
		{"it is still missing", stalled, missing, missing, nil},
		{"what passes without a person", passes, works, missing, nil},
		{"the source works again", nil, missing, works, nil},
		{"nothing is read while it is suspended", stalled, works, said(metav1.ConditionUnknown, v1alpha1.ReasonSuspended), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			r := &Reconciler{Events: announce.New(recorder), Now: time.Now}
			run := &run{object: &v1alpha1.RegistryCredential{}}
			run.state.Reads.Fault = test.fault
			r.tellOfSource(run, test.before, test.now)
			saysOnly(t, recorder, test.want)
		})
	}
}
