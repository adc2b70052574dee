package audit_test

import (
	"testing"

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
}
