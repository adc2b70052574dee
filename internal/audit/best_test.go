package audit_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/audit"
	"regcred.dev/regcred/internal/diagnosis"
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

func TestARowSaysWhereAndWhichSecret(t *testing.T) {
	w := sound()
	w.lists("regcred", "broken")
	w.namespace.Secrets["broken"] = diagnosis.Secret{Breaks: "no JSON"}
	if row := w.rows()[0]; row.Namespace != w.workload.Namespace || row.Kind != w.workload.Kind || row.Workload != w.workload.Name || row.Secret != "broken" || row.Reason != audit.MalformedSecret {
		t.Errorf("%+v", row)
	}
	w = sound()
	w.lists("large")
	w.namespace.Secrets["large"] = diagnosis.Secret{TooLarge: true}
	if row := w.rows()[0]; row.Reason != audit.SecretTooLarge || row.Secret != "large" {
		t.Errorf("%+v", row)
	}
	w = sound()
	w.object.Name = "another" // so that nobody who may be read wrote the entry
	if row := w.rows()[0]; row.Result != audit.Unproven || row.Reason != audit.NotTested || row.Credential != "" || row.Owner != "regcred" || !strings.Contains(row.Message, "no RegistryCredential that you may read") {
		t.Errorf("%+v", row)
	}
	w = sound()
	w.object.Status.Credential.ExpireTime = &metav1.Time{Time: noon.Add(time.Second)}
	if row := w.rows()[0]; row.Result != audit.Accepted || row.Until == nil || !row.Until.Equal(noon.Add(time.Second)) {
		t.Errorf("a second before its end: %+v", row)
	}
}
