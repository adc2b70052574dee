package audit_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/audit"
)

// A kubelet tries all entries that match, so the best one decides.
func TestOfSeveralEntriesTheBestDecidesWhereverItStands(t *testing.T) {
	for _, order := range [][]string{{"regcred", "other"}, {"other", "regcred"}} {
		w := sound()
		w.others("other", "registry.company.io")
		w.lists(order...)
		if rows := w.rows(); len(rows) != 1 || rows[0].Result != audit.Accepted || rows[0].Secret != "regcred" {
			t.Errorf("%q: %+v", order, rows)
		}
	}
	w := sound()
	w.others("first", "registry.company.io")
	w.others("second", "registry.company.io")
	w.lists("first", "second")
	if rows := w.rows(); len(rows) != 1 || rows[0].Result != audit.Unproven || rows[0].Secret != "first" {
		t.Errorf("of two that are as good the first is told: %+v", rows)
	}
}

// What a person may not read settles nothing, and what is asked is not changed by it.
func TestWhatIsLookedAtIsNotChanged(t *testing.T) {
	w := sound()
	account := w.namespace.Accounts["default"]
	account.PullSecrets = append(make([]string, 0, 8), "regcred")
	w.namespace.Accounts["default"] = account
	w.workload.Template = false // so that its list is compared with what it would inherit, which the policy adds to
	w.object.Spec.Target.Attach = v1alpha1.AttachPods
	w.object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
	w.rows()
	if spare := account.PullSecrets[:2]; spare[1] != "" {
		t.Errorf("the list of the ServiceAccount became %q", spare)
	}
}

func TestAnObjectWithoutAStatusHasTestedNothing(t *testing.T) {
	w := sound()
	w.object.Status.Credential = nil
	for _, row := range w.rows() {
		if row.Result == audit.Accepted {
			t.Errorf("%+v", row)
		}
	}
	w.namespace.Secrets, w.namespace.SecretsUnread = nil, true
	if row := w.rows()[0]; row.Result != audit.Unproven || row.Reason != audit.NotTested {
		t.Errorf("where Secrets may not be read: %+v", row)
	}
}

// Where Secrets may not be read, which of them has the entry is known by the RegistryCredential alone.
func TestOfSecretsThatMayNotBeReadTheOneThatItNamesIsMeant(t *testing.T) {
	w := sound()
	w.namespace.Secrets, w.namespace.SecretsUnread = nil, true
	w.lists("other", "regcred")
	if row := w.rows()[0]; row.Result != audit.Accepted || row.Secret != "regcred" || row.From != "pod" || row.Credential != "company" {
		t.Errorf("%+v", row)
	}
	w.lists("other")
	if row := w.rows()[0]; row.Result != audit.Fails || row.Reason != audit.NotReferenced || row.Secret != "regcred" || row.Credential != "company" {
		t.Errorf("where the pod does not name it: %+v", row)
	}
}

func TestWhatARegistrySaysChangesNoTerminal(t *testing.T) {
	w := sound()
	w.object.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoLongerAccepted, Message: "no\x1b[2J"}}
	if row := w.rows()[0]; row.Reason != audit.CredentialRejected || strings.Contains(row.Message, "\x1b") {
		t.Errorf("%+v", row)
	}
}
