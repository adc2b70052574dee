package diagnosis

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The API server checks neither the name of an owner nor those in the imagePullSecrets of a ServiceAccount: a tenant would have
// somebody with more rights run what it wrote there.
func TestNobodyIsAdvisedToRunWhatATenantWrote(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes []change
		plain   string
	}{
		{"the name of a Job", []change{ofJob, withoutReference, func(f *Facts) { f.Owners[0].Name = "x; id >/tmp/owned #" }}, "suspend and resume the Job"},
		{"the names of other pull secrets", []change{withoutReference, func(f *Facts) {
			f.Pod.Spec.ServiceAccountName = "builder"
			f.Account = Account{Name: "builder", PullSecrets: []string{"x'; id >/tmp/owned; echo '"}}
		}}, "spec.target.serviceAccounts"},
		{"the name of a Secret that cannot be read", []change{func(f *Facts) {
			const name = "x; id >/tmp/owned #"
			f.Pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: name}}
			f.Secrets[name] = Secret{Breaks: "it is no JSON"}
			f.Pod.Status.ContainerStatuses[0].State.Waiting.Reason = "unable to parse auth field, must be formatted as base64 encoded username:password"
		}}, "fix it where it comes from"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := Diagnose(stuck(test.changes...))
			if !strings.Contains(v.Advice, test.plain) {
				t.Errorf("the advice is %q, the verdict %s: %s", v.Advice, v.Reason, v.Message)
			}
			if strings.Contains(v.Advice, "owned") {
				t.Errorf("it is advised to run %q", v.Advice)
			}
		})
	}
}
