package credential

import (
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/rotation"
)

func TestWhatNamespacesMakeOfReady(t *testing.T) {
	quota, forbidden := delivered.Cause{Reason: v1alpha1.ReasonQuotaExceeded}, delivered.Cause{Reason: v1alpha1.ReasonForbidden}
	failed, taken := delivered.Cause{Reason: v1alpha1.ReasonWriteFailed}, delivered.Cause{Reason: v1alpha1.ReasonRegistryTaken}
	served := map[delivered.Served]int{{Version: delivered.Version{Revision: "1", Digest: "d"}}: 4}
	for _, test := range []struct {
		name    string
		summary delivered.Summary
		want    string
	}{
		{"all are served", delivered.Summary{Selected: 4, Right: served}, ""},
		{"none is selected", delivered.Summary{}, v1alpha1.ReasonNoNamespaces},
		{"one refuses for a reason of its own", delivered.Summary{Selected: 5, Right: served, Causes: map[delivered.Cause]int{quota: 1}}, ""},
		{"one is forbidden to the operator", delivered.Summary{Selected: 5, Right: served, Causes: map[delivered.Cause]int{forbidden: 1}}, v1alpha1.ReasonForbidden},
		{"several reasons are the operator's", delivered.Summary{Selected: 8, Right: served,
			Causes: map[delivered.Cause]int{taken: 1, failed: 1, quota: 1, forbidden: 1}}, v1alpha1.ReasonForbidden},
		{"one is still being written", delivered.Summary{Selected: 5, Right: served}, v1alpha1.ReasonProgressing},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 50 { // maps are walked in another order each time
				f := &facts{summary: test.summary, run: &run{object: &v1alpha1.RegistryCredential{}, spec: &rotation.Spec{}}}
				f.run.state.Config, f.run.state.Revision, f.run.state.Digest = dockerconfig.Config{}, "1", "d"
				if got := f.deliveryObstacle().reason; got != test.want {
					t.Fatalf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestReadySaysHowManyUnselectedNamespacesStillHoldTheValue(t *testing.T) {
	for unselected, words := range map[int]string{0: "selected namespaces", 1: "; it is still in 1 namespace outside of spec.target", 4: "it is still in 4 namespaces outside of spec.target"} {
		f := &facts{verdict: rotation.Accepted, run: &run{object: &v1alpha1.RegistryCredential{}, spec: &rotation.Spec{}}}
		f.summary.Unselected = unselected
		if got := f.success(); !strings.HasSuffix(got, words) {
			t.Errorf("with %d it says %q", unselected, got)
		}
	}
}

func TestReadySaysThatAValueIsInUseWithoutATest(t *testing.T) {
	for _, test := range []struct {
		name    string
		mode    v1alpha1.VerificationMode
		verdict rotation.Verdict
		want    string
	}{
		{"the registry accepts it", v1alpha1.VerifyPull, rotation.Accepted, "revision 7 is in all 0 selected namespaces"},
		{"the registry did not answer", v1alpha1.VerifyPull, rotation.Unknown, "see the condition Verified"},
		{"nobody wants a test", v1alpha1.VerifyDisabled, rotation.Unknown, "spec.verification.mode is Disabled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &facts{verdict: test.verdict, run: &run{object: &v1alpha1.RegistryCredential{}, spec: &rotation.Spec{Mode: test.mode}}}
			f.run.state.Revision = "7"
			if got := f.success(); !strings.HasSuffix(got, test.want) {
				t.Errorf("it says %q", got)
			}
		})
	}
}
