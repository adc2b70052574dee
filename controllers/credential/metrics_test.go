package credential

import (
	"maps"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

// measured notes what the metrics are given. What it lacks is not called.
type measured struct {
	Metrics
	credential       string
	ready, refused   bool
	selected, synced int
	expires          time.Time
	atRisk, stuck    int
	failing          map[string]int
}

func (m *measured) Observe(credential string, ready bool, selected, synced int, expires time.Time) {
	m.credential, m.ready, m.selected, m.synced, m.expires = credential, ready, selected, synced, expires
}

func (m *measured) Refused(_ string, refused bool, podsAtRisk int) {
	m.refused, m.atRisk = refused, podsAtRisk
}

func (m *measured) Troubles(_ string, failing map[string]int, stuck int) {
	m.failing, m.stuck = failing, stuck
}

func (*measured) Schedule(string, rotation.Schedule) {}

// Alerts rest on these numbers: none of them stands in the place of another one.
func TestWhatIsMeasuredOfARegistryCredential(t *testing.T) {
	f, ends := served(), noon.Add(time.Hour)
	f.run.object.Name = "company"
	f.summary.Selected, f.missing = 4, []string{"typo"}
	f.summary.Causes = map[delivered.Cause]int{{Reason: v1alpha1.ReasonForeignSecret}: 1}
	f.stuck, f.atRisk, f.run.state.ExpireTime = 7, &risk{pods: 3}, ends
	f.answer("one", rotation.Rejected, noon)
	m := &measured{}
	r := &Reconciler{Metrics: m, Now: func() time.Time { return noon }}
	observe := func() { r.observe(f.run, f, f.status(&v1alpha1.RegistryCredentialStatus{}, noon)) }
	observe()
	if m.credential != "company" || m.ready || m.selected != 5 || m.synced != 2 || !m.expires.Equal(ends) {
		t.Errorf("observed is %+v", m)
	}
	failing := map[string]int{v1alpha1.ReasonForeignSecret: 1, v1alpha1.ReasonNamespaceNotFound: 1}
	if !m.refused || m.atRisk != 3 || m.stuck != 7 || !maps.Equal(m.failing, failing) {
		t.Errorf("of what goes wrong observed is %+v", m)
	}
	f.run.state.Config, f.atRisk = nil, nil
	if observe(); m.refused || m.atRisk != 0 {
		t.Errorf("nothing is in use, and observed is %+v", m)
	}
	f = served()
	if observe(); !m.ready || m.refused {
		t.Errorf("all is well, and observed is %+v", m)
	}
}

// What a newer version kept is not delivered by this one.
func TestARecordOfANewerVersionIsMeasuredAsNotReady(t *testing.T) {
	r, _ := reporting(t, 1, 1)
	m := &measured{ready: true, selected: 3}
	r.Metrics = m
	if _, err := r.leaveAlone(t.Context(), stored(t, r, "c-00"), &records.NewerError{Format: 9}); err != nil || m.credential != "c-00" || m.ready || m.selected != 0 {
		t.Errorf("observed is %+v: %v", m, err)
	}
}
