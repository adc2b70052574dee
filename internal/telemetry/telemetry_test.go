package telemetry_test

import (
	"maps"
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
		m.Troubles(credential, map[string]int{"Contested": 2, "Forbidden": 1}, 3)
		m.Troubles(credential, map[string]int{"Contested": 2}, 3)
	}
	if old := series(t, registry, "Forbidden"); len(old) != 0 {
		t.Errorf("a reason that no namespace has any more still has %q", old)
	}
	ofConnection, ofCredential := series(t, registry, "gone"), series(t, registry, "old")
	if len(ofConnection) != 4 || len(ofCredential) != 7 {
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

// state is a fence and a watchdog whose answers a test sets.
type state struct {
	open            bool
	refused, silent uint64
	stalled         int
}

func (s *state) Open() bool            { return s.open }
func (s *state) Refused() uint64       { return s.refused }
func (s *state) Stalled() int          { return s.stalled }
func (s *state) SilentWatches() uint64 { return s.silent }

func TestTheProcessIsAskedAtEachScrape(t *testing.T) {
	registry, asked := prometheus.NewRegistry(), &state{}
	telemetry.OfProcess(registry, asked, asked)
	for _, c := range []struct {
		state state
		want  map[string]float64
	}{
		{state{}, map[string]float64{"regcred_lease_fence_open": 0, "regcred_lease_fence_refused_total": 0, "regcred_controllers_stalled": 0, "regcred_silent_watches_total": 0}},
		{state{true, 3, 5, 2}, map[string]float64{"regcred_lease_fence_open": 1, "regcred_lease_fence_refused_total": 3, "regcred_controllers_stalled": 2, "regcred_silent_watches_total": 5}},
	} {
		*asked = c.state
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue() + family.GetMetric()[0].GetCounter().GetValue()
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("scraped %v, want %v", got, c.want)
		}
	}
}
