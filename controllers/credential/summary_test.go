package credential

import (
	"fmt"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
)

func TestNamespacesThatBeginToFailAreToldOfAFewTimes(t *testing.T) {
	login, err := dockerconfig.NewCredential("robot", "pw")
	if err != nil {
		t.Fatal(err)
	}
	record := records.Record{Config: dockerconfig.Config{"r.example": login}, Memo: records.Memo{Revision: "1"}}
	m := &memory{told: map[string]int{}}
	status := &v1alpha1.RegistryCredentialStatus{}
	for _, step := range []struct {
		name    string
		reason  string
		failing int
		restart bool
		events  int
	}{
		{name: "all is well"},
		{name: "a first one fails", reason: v1alpha1.ReasonQuotaExceeded, failing: 1, events: 1},
		{name: "nothing changes", reason: v1alpha1.ReasonQuotaExceeded, failing: 1},
		{name: "a second one fails", reason: v1alpha1.ReasonQuotaExceeded, failing: 2, events: 1},
		{name: "a third one fails", reason: v1alpha1.ReasonQuotaExceeded, failing: 3},
		{name: "a fourth one fails", reason: v1alpha1.ReasonQuotaExceeded, failing: 4, events: 1},
		{name: "the operator starts anew", reason: v1alpha1.ReasonQuotaExceeded, failing: 4, restart: true},
		{name: "some are mended", reason: v1alpha1.ReasonQuotaExceeded, failing: 1},
		{name: "they fail again", reason: v1alpha1.ReasonQuotaExceeded, failing: 4},
		{name: "they fail for another reason", reason: v1alpha1.ReasonForbidden, failing: 4, events: 1},
		{name: "all is well again"},
		{name: "one fails", reason: v1alpha1.ReasonForbidden, failing: 1, events: 1},
		{name: "its ServiceAccount is still to come", reason: v1alpha1.ReasonServiceAccountNotFound, failing: 4},
	} {
		f := &statusFacts{object: &v1alpha1.RegistryCredential{}, record: record, memory: m, deliveries: map[string]delivered.Delivery{}}
		if step.restart {
			m.told = map[string]int{}
		}
		for i := range 20 {
			namespace, d := fmt.Sprintf("team-%02d", i), delivered.Delivery{Version: delivered.Version{Revision: "1"}}
			if i < step.failing {
				d.Reason, d.Message = step.reason, "refused"
			}
			f.selected, f.deliveries[namespace] = append(f.selected, namespace), d
		}
		now := f.status(status, time.Now())
		if events := f.newlyFailing(status, now); len(events) != step.events {
			t.Errorf("%s: %d events, want %d: %+v", step.name, len(events), step.events, events)
		}
		status = now
	}
}
