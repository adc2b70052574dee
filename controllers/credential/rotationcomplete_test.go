package credential

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/rotation"
)

// rotated are the facts of a value that took the place of another one two hours ago, and is everywhere.
func rotated() *facts {
	f := served()
	f.run.state.Previous = &rotation.Previous{Value: rotation.Value{Revision: "v0", Digest: "zero", Accounts: []rotation.Account{accountAt("zero")}}, ReplacedTime: noon.Add(-2 * time.Hour)}
	f.run.state.Tests = nil
	f.answer("one", rotation.Accepted, noon.Add(-2*time.Hour))
	f.answer("zero", rotation.Rejected, noon.Add(-time.Hour))
	f.answer("one", rotation.Accepted, noon)
	return f
}

func TestWhetherTheOldPasswordMayBeRevoked(t *testing.T) {
	const yes, no, open = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	for _, test := range []struct {
		name    string
		change  func(f *facts)
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		{"the registry refuses it", func(*facts) {}, yes, v1alpha1.ReasonOldRefused, "refuses revision v0"},
		{"the registry takes it", func(f *facts) { f.answer("zero", rotation.Accepted, noon) }, no, v1alpha1.ReasonOldAccepted, "Revoke it now"},
		{"there was none", func(f *facts) { f.run.state.Previous = nil }, yes, v1alpha1.ReasonFirstValue, ""},
		{"a ServiceAccount is missing in one namespace", func(f *facts) {
			f.summary.Right = map[delivered.Served]int{{Version: delivered.Version{Revision: "v1", Digest: "one"}, Generation: 3}: 1}
			f.summary.Causes = map[delivered.Cause]int{{Reason: v1alpha1.ReasonServiceAccountNotFound, ServiceAccounts: true}: 1}
		}, yes, v1alpha1.ReasonOldRefused, ""},
		{"a named namespace does not exist", func(f *facts) { f.missing = []string{"typo"} }, yes, v1alpha1.ReasonOldRefused, ""},
		{"one namespace lacks the value", func(f *facts) {
			f.summary.Present = map[delivered.Version]int{{Revision: "v1", Digest: "one"}: 1}
		}, no, v1alpha1.ReasonDelivering, "in 1 of 2 namespaces"},
		{"a namespace that is not selected has the old one", func(f *facts) {
			f.summary.Holding = map[delivered.Version]int{{Revision: "v0", Digest: "zero"}: 1}
		}, no, v1alpha1.ReasonDelivering, "it is still in 1 namespace."},
		{"it is not known yet which namespaces are selected", func(f *facts) { f.run.object.Generation = 4 }, no, v1alpha1.ReasonDelivering, ""},
		{"the value in use is refused", func(f *facts) { f.answer("one", rotation.Rejected, noon) }, no, v1alpha1.ReasonNoLongerAccepted, "Do not revoke"},
		{"the value in use is refused, and the old one works", func(f *facts) {
			f.answer("zero", rotation.Accepted, noon)
			f.answer("one", rotation.Rejected, noon)
		}, no, v1alpha1.ReasonNoLongerAccepted, "Do not revoke"},
		{"a new value waits", func(f *facts) { f.waits(rotation.Hold, "") }, no, v1alpha1.ReasonProgressing, "Do not revoke"},
		{"the account was locked when it was refused", func(f *facts) {
			f.answer("one", rotation.Rejected, noon)
			f.answer("zero", rotation.Rejected, noon)
			f.answer("one", rotation.Accepted, noon.Add(time.Minute))
		}, open, v1alpha1.ReasonOldUnknown, "not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := rotated()
			test.change(f)
			c := f.rotationComplete(noon.Add(time.Hour))
			if c.Status != test.status || c.Reason != test.reason || !strings.Contains(c.Message, test.message) {
				t.Errorf("it is %s %s %q, want %s %s %q", c.Status, c.Reason, c.Message, test.status, test.reason, test.message)
			}
		})
	}
}
