package overview_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/overview"
)

// Of two things that are wrong the graver one is told: first what makes the status itself doubtful, then what pods cannot do now, and last what
// may become a fault.
func TestOfSeveralThingsThatAreWrongTheGravestIsTold(t *testing.T) {
	gravestFirst := []struct {
		does change
		says string
	}{
		{func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }, "it is being deleted"},
		{func(o *v1alpha1.RegistryCredential) { o.Status.ObservedGeneration = 0 }, "the operator did not look at it yet"},
		{func(o *v1alpha1.RegistryCredential) { o.Generation++ }, "the spec changed"},
		{says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSealed, "Vault is sealed"), "Sealed: "},
		{ends(-time.Minute), "the value in use ended at"},
		{fails(12, 1, v1alpha1.ReasonForeignSecret), "namespace team-a is not served"},
		{func(o *v1alpha1.RegistryCredential) { o.Status.Pods.AtRisk = ptr.To[int32](2) }, "2 running pods could not start"},
		{ends(time.Hour), "the value in use ends at"},
		{func(o *v1alpha1.RegistryCredential) { o.Status.Pods.Stuck = 3 }, "3 pods cannot pull"},
		{says(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonUnproven, "it did not say"), "Unproven: "},
		{says(v1alpha1.ConditionUnusableForm, metav1.ConditionTrue, v1alpha1.ReasonInvalidPort, "the port is no port"), "InvalidPort: "},
	}
	object := healthy()
	for i := len(gravestFirst) - 1; i >= 0; i-- {
		gravestFirst[i].does(object)
		if got := overview.RowOf(object, noon).Problem; !strings.HasPrefix(got, gravestFirst[i].says) {
			t.Errorf("beside all that is less grave: %q, want %q", got, gravestFirst[i].says)
		}
	}
	connection := connected()
	for _, step := range []struct {
		does func(*v1alpha1.VaultConnection)
		says string
	}{
		{func(o *v1alpha1.VaultConnection) { o.Status.TokenExpireTime = &metav1.Time{Time: noon.Add(time.Hour)} }, "the token of spec.auth.token ends"},
		{func(o *v1alpha1.VaultConnection) {
			o.Status.Conditions = append(o.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionUnfenced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPoliciesMissing})
		}, "PoliciesMissing: "},
		{func(o *v1alpha1.VaultConnection) {
			o.Status.Conditions[0].Status, o.Status.Conditions[0].Reason = metav1.ConditionFalse, v1alpha1.ReasonLoginFailed
		}, "LoginFailed: "},
		{func(o *v1alpha1.VaultConnection) { o.Generation++ }, "the spec changed"},
		{func(o *v1alpha1.VaultConnection) { o.Status.ObservedGeneration = 0 }, "the operator did not look at it yet"},
	} {
		step.does(connection)
		if got := overview.ConnectionOf(connection, noon).Problem; !strings.HasPrefix(got, step.says) {
			t.Errorf("of a connection: %q, want %q", got, step.says)
		}
	}
}

func TestHowManyNamespacesFailIsToldHoweverManyAreNamed(t *testing.T) {
	if got := overview.RowOf(healthy(fails(10, 3, v1alpha1.ReasonForeignSecret)), noon).Problem; !strings.HasPrefix(got, "3 of 13 namespaces are not served; the first, team-a: ") {
		t.Errorf("%q", got)
	}
}

func TestWhatHoldsUpADeletionIsToldBeforeHowFarItIs(t *testing.T) {
	object := healthy(func(o *v1alpha1.RegistryCredential) { o.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) },
		says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing, "3 Secrets are left"), stalled(v1alpha1.ReasonRemovalUnconfirmed))
	if got := overview.RowOf(object, noon).Problem; got != "it is being deleted: a person must act" {
		t.Errorf("%q", got)
	}
}

func TestARefreshOfWhatIsSuspendedDoesNotGoOnThoughTheLastOneWasAnswered(t *testing.T) {
	p := overview.ProgressOf(healthy(func(o *v1alpha1.RegistryCredential) { o.Spec.Suspend = true }), "now")
	if !p.Failed || p.Stage != overview.StageRequested || !strings.Contains(p.Message, "spec.suspend is true") {
		t.Errorf("%+v", p)
	}
}

// In JSON one moment has one form, wherever who asks is.
func TestTimesAreInUTCAndNoneOfTheObjectsOwn(t *testing.T) {
	elsewhere := metav1.NewTime(noon.In(time.FixedZone("elsewhere", 3600)))
	object := healthy(func(o *v1alpha1.RegistryCredential) {
		o.Status.Credential.ChangeTime, o.Status.Credential.ExpireTime, o.Status.Previous.ReplacedTime = &elsewhere, &elsewhere, &elsewhere
		for i := range o.Status.Conditions {
			o.Status.Conditions[i].LastTransitionTime = elsewhere
		}
	})
	d := overview.DetailOf(object, noon)
	times := []*time.Time{d.ChangeTime, d.ExpireTime, d.Source.Since, d.Previous.ReplacedTime}
	for _, c := range d.Conditions {
		times = append(times, c.Since)
	}
	for i, at := range times {
		if at == nil || !at.Equal(noon) || at.Location() != time.UTC {
			t.Errorf("time %d is %v", i, at)
		}
	}
}
