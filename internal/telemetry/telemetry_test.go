package telemetry_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"regcred.dev/regcred/internal/telemetry"
)

// series are the names of the metrics that have a label of this value.
func series(t *testing.T, registry *prometheus.Registry, value string) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetValue() == value {
					names = append(names, family.GetName())
				}
			}
		}
	}
	return slices.Compact(names)
}

func TestWhatIsDeletedLeavesNoSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := telemetry.New(registry)
	for _, connection := range []string{"gone", "stays"} {
		m.Login(connection, "jwt", "Read")
		m.Login(connection, "jwt", "LoginFailed")
		m.Read(connection, "Read")
		m.Read(connection, "Sealed")
		m.TokenExpires(connection, time.Now())
	}
	for _, credential := range []string{"old", "young"} {
		m.Observe(credential, true, 2, 1, time.Now())
		m.Verified(credential, "Accepted")
	}
	ofConnection, ofCredential := series(t, registry, "gone"), series(t, registry, "old")
	if len(ofConnection) != 4 || len(ofCredential) != 5 {
		t.Fatalf("a connection has %q, a credential %q", ofConnection, ofCredential)
	}
	m.ForgetConnection("gone")
	m.Forget("old")
	if left := append(series(t, registry, "gone"), series(t, registry, "old")...); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
	if stays, young := series(t, registry, "stays"), series(t, registry, "young"); !slices.Equal(stays, ofConnection) || !slices.Equal(young, ofCredential) {
		t.Errorf("of others %q and %q are left", stays, young)
	}
}
