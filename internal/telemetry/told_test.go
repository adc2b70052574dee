package telemetry_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/telemetry"
)

// lastRead is dated by the clock. Here it is 1, where it is there.
const lastRead = "regcred_vault_last_read_timestamp_seconds"

// scraped are all series with their values.
func scraped(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			name := strings.TrimPrefix(family.GetName(), "regcred_") + "{" + strings.Join(labels, ",") + "}"
			switch {
			case metric.GetHistogram() != nil:
				values[name] = metric.GetHistogram().GetSampleSum()
			case family.GetName() == lastRead:
				values[name] = 1
			default:
				values[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return values
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// toldCases say for each method what a scrape shows that it did not show before.
var toldCases = []struct {
	method string
	tell   func(*telemetry.Metrics)
	want   map[string]float64
}{
	{"PoliciesStand", func(m *telemetry.Metrics) { m.PoliciesStand(true) }, map[string]float64{"admission_policies_stand{}": 1}},
	{"PoliciesStand", func(m *telemetry.Metrics) { m.PoliciesStand(true); m.PoliciesStand(false) }, nil},
	{"Verified", func(m *telemetry.Metrics) {
		m.Verified("a", "Accepted")
		m.Verified("a", "Accepted")
		m.Verified("b", "Unknown")
	},
		map[string]float64{"verifications_total{credential=a,verdict=Accepted}": 2, "verifications_total{credential=b,verdict=Unknown}": 1}},
	{"RotationSeen", func(m *telemetry.Metrics) { m.RotationSeen("a", 90*time.Second) }, map[string]float64{"rotation_seen_seconds{}": 90}},
	{"Observe", func(m *telemetry.Metrics) { m.Observe("a", true, 5, 3, at(7)) }, map[string]float64{"credential_ready{credential=a}": 1,
		"credential_namespaces_selected{credential=a}": 5, "credential_namespaces_synced{credential=a}": 3, "credential_expiry_timestamp_seconds{credential=a}": 7}},
	{"Observe", func(m *telemetry.Metrics) {
		m.Observe("a", true, 5, 3, at(7))
		m.Observe("a", false, 6, 0, time.Time{})
	}, map[string]float64{
		"credential_ready{credential=a}": 0, "credential_namespaces_selected{credential=a}": 6, "credential_namespaces_synced{credential=a}": 0}},
	{"Refused", func(m *telemetry.Metrics) { m.Refused("a", true, 4) }, map[string]float64{"credential_refused{credential=a}": 1, "credential_pods_at_risk{credential=a}": 4}},
	{"Refused", func(m *telemetry.Metrics) { m.Refused("a", true, 4); m.Refused("a", false, 0) },
		map[string]float64{"credential_refused{credential=a}": 0, "credential_pods_at_risk{credential=a}": 0}},
	{"Troubles", func(m *telemetry.Metrics) {
		m.Troubles("a", map[string]int{"Forbidden": 1, "Contested": 2}, 3)
		m.Troubles("b", map[string]int{"Forbidden": 4}, 5)
		m.Troubles("a", map[string]int{"Contested": 6, "WriteFailed": 7}, 8)
	}, map[string]float64{"credential_namespaces_failing{credential=a,reason=Contested}": 6, "credential_namespaces_failing{credential=a,reason=WriteFailed}": 7,
		"credential_namespaces_failing{credential=b,reason=Forbidden}": 4, "credential_pods_stuck{credential=a}": 8, "credential_pods_stuck{credential=b}": 5}},
	{"Schedule", func(m *telemetry.Metrics) {
		m.Schedule("a", rotation.Schedule{LastRead: at(1), NextRead: at(2), LastAsked: at(3), NextAsked: at(4), Changed: at(5)})
	}, map[string]float64{"credential_schedule_timestamp_seconds{credential=a,what=last_read}": 1, "credential_schedule_timestamp_seconds{credential=a,what=next_read}": 2,
		"credential_schedule_timestamp_seconds{credential=a,what=last_asked}": 3, "credential_schedule_timestamp_seconds{credential=a,what=next_asked}": 4,
		"credential_schedule_timestamp_seconds{credential=a,what=changed}": 5}},
	{"Schedule", func(m *telemetry.Metrics) {
		m.Schedule("a", rotation.Schedule{LastRead: at(1), NextRead: at(2), LastAsked: at(3), NextAsked: at(4), Changed: at(5)})
		m.Schedule("a", rotation.Schedule{Changed: at(6)})
	}, map[string]float64{"credential_schedule_timestamp_seconds{credential=a,what=changed}": 6}},
	{"Forget", func(m *telemetry.Metrics) {
		for _, credential := range []string{"a", "b"} {
			m.Observe(credential, true, 1, 1, at(1))
			m.Refused(credential, true, 1)
			m.Troubles(credential, map[string]int{"Forbidden": 1}, 1)
			m.Schedule(credential, rotation.Schedule{LastRead: at(1), NextRead: at(2)})
			m.Verified(credential, "Accepted")
			m.Forget(credential)
		}
		m.Troubles("a", map[string]int{"Contested": 2}, 0)
	}, map[string]float64{"credential_namespaces_failing{credential=a,reason=Contested}": 2, "credential_pods_stuck{credential=a}": 0}},
	{"Login", func(m *telemetry.Metrics) { m.Login("v", "jwt", "Succeeded") }, map[string]float64{"vault_logins_total{connection=v,method=jwt,reason=Succeeded}": 1}},
	{"Read", func(m *telemetry.Metrics) { m.Read("v", "Read") },
		map[string]float64{"vault_reads_total{connection=v,reason=Read}": 1, strings.TrimPrefix(lastRead, "regcred_") + "{connection=v}": 1}},
	{"Read", func(m *telemetry.Metrics) { m.Read("v", "Sealed") }, map[string]float64{"vault_reads_total{connection=v,reason=Sealed}": 1}},
	{"TokenExpires", func(m *telemetry.Metrics) { m.TokenExpires("v", at(9)) }, map[string]float64{"vault_token_expiry_timestamp_seconds{connection=v}": 9}},
	{"TokenExpires", func(m *telemetry.Metrics) { m.TokenExpires("v", at(9)); m.TokenExpires("v", time.Time{}) }, map[string]float64{"vault_token_expiry_timestamp_seconds{connection=v}": 0}},
	{"EventsFollowed", func(m *telemetry.Metrics) {
		m.EventsFollowed("v", 1500*time.Millisecond)
		m.EventsFollowed("v", time.Second)
	}, map[string]float64{"vault_events_followed_seconds_total{connection=v}": 2.5}},
	{"ForgetConnection", func(m *telemetry.Metrics) {
		m.Login("v", "jwt", "Succeeded")
		m.Read("v", "Read")
		m.TokenExpires("v", at(9))
		m.EventsFollowed("v", time.Second)
		m.ForgetConnection("v")
	}, nil},
	{"Decided", func(m *telemetry.Metrics) { m.Decided("Restart", "MissingReference") }, map[string]float64{"pod_decisions_total{action=Restart,reason=MissingReference}": 1}},
	{"Recovered", func(m *telemetry.Metrics) { m.Recovered("Repull", 2*time.Second) }, map[string]float64{"pod_recovered_seconds{action=Repull}": 2}},
	{"InjectionIndexKept", func(m *telemetry.Metrics) { m.InjectionIndexKept(100, 3, 2, at(8)) }, map[string]float64{"injection_index_bytes{}": 100,
		"injection_index_credentials{}": 3, "injection_index_left_out{}": 2, "injection_index_changed_timestamp_seconds{}": 8}},
	{"InjectionIndexKept", func(m *telemetry.Metrics) {
		m.InjectionIndexKept(100, 3, 2, at(8))
		m.InjectionIndexKept(0, 0, 0, time.Time{})
	}, nil},
	{"InjectionIndexFailed", func(m *telemetry.Metrics) { m.InjectionIndexFailed() }, map[string]float64{"injection_index_failures_total{}": 1}},
}

func TestWhatIsToldIsScrapedUnderItsOwnNameAndLabelsAndNothingElse(t *testing.T) {
	tested := map[string]bool{}
	for i, test := range toldCases {
		tested[test.method] = true
		t.Run(fmt.Sprintf("%s_%d", test.method, i), func(t *testing.T) {
			registry := prometheus.NewRegistry()
			m := telemetry.New(registry)
			before := scraped(t, registry)
			test.tell(m)
			got := scraped(t, registry)
			maps.DeleteFunc(got, func(name string, value float64) bool { was, there := before[name]; return there && was == value })
			if !maps.Equal(got, test.want) {
				t.Errorf("scraped %v, want %v", got, test.want)
			}
		})
	}
	of := reflect.TypeFor[*telemetry.Metrics]()
	var untested []string
	for i := range of.NumMethod() {
		if name := of.Method(i).Name; !tested[name] {
			untested = append(untested, name)
		}
	}
	if len(untested) > 0 {
		t.Errorf("of %q nobody knows what a scrape shows", slices.Sorted(slices.Values(untested)))
	}
}
