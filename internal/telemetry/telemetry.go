// Package telemetry holds the operator's metrics. Labels are bounded by the number of RegistryCredentials and VaultConnections.
package telemetry

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/version"
)

// Metrics of the operator. It implements the small interfaces by which controllers and sources tell what they do.
type Metrics struct {
	ready, selected, synced, expires *prometheus.GaugeVec
	refused, atRisk, stuck, failing  *prometheus.GaugeVec
	schedule                         *prometheus.GaugeVec
	verifications                    *prometheus.CounterVec
	rotationSeen                     prometheus.Histogram
	logins, reads                    *prometheus.CounterVec
	lastRead, tokenExpires           *prometheus.GaugeVec
	eventsFollowed                   *prometheus.CounterVec
	podDecisions                     *prometheus.CounterVec
	podRecovered                     *prometheus.HistogramVec
	policies                         prometheus.Gauge
	index                            indexMetrics

	mu sync.Mutex
	// reasons are those that failing has series of, by RegistryCredential.
	reasons map[string][]string
}

// New registers the metrics. It panics where that fails, as registering twice does.
func New(registry prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		reasons: map[string][]string{},

		ready:         gauge("regcred_credential_ready", "1 where a RegistryCredential is Ready.", "credential"),
		selected:      gauge("regcred_credential_namespaces_selected", "Namespaces that a RegistryCredential selects.", "credential"),
		synced:        gauge("regcred_credential_namespaces_synced", "Namespaces in which its Secret and ServiceAccounts are right.", "credential"),
		expires:       gauge("regcred_credential_expiry_timestamp_seconds", "When the published credential ends, where that is known.", "credential"),
		refused:       gauge("regcred_credential_refused", "1 while the registry refuses the credential in use.", "credential"),
		atRisk:        gauge("regcred_credential_pods_at_risk", "Running pods that could not pull their image on another node.", "credential"),
		stuck:         gauge("regcred_credential_pods_stuck", "Pods that are stuck because a credential is missing.", "credential"),
		failing:       gauge("regcred_credential_namespaces_failing", "Selected namespaces that are not served, by reason.", "credential", "reason"),
		schedule:      gauge("regcred_credential_schedule_timestamp_seconds", "When the source was read, a registry was asked and the value in use was published, and when the next is due.", "credential", "what"),
		verifications: counter("regcred_verifications_total", "Tests at registries by verdict.", "credential", "verdict"),
		rotationSeen: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "regcred_rotation_seen_seconds", Help: "Time from the creation of a value at its source to its publication.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 86400},
		}),
		logins:         counter("regcred_vault_logins_total", "Logins at Vault by method and reason.", "connection", "method", "reason"),
		reads:          counter("regcred_vault_reads_total", "Reads of Vault by reason.", "connection", "reason"),
		lastRead:       gauge("regcred_vault_last_read_timestamp_seconds", "When a read through this connection last gave a usable credential.", "connection"),
		tokenExpires:   gauge("regcred_vault_token_expiry_timestamp_seconds", "When the present Vault token ends, 0 where it does not.", "connection"),
		eventsFollowed: counter("regcred_vault_events_followed_seconds_total", "Seconds in which Vault's events were followed.", "connection"),
		podDecisions:   counter("regcred_pod_decisions_total", "Verdicts about stuck pods by action and reason.", "action", "reason"),
		podRecovered: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "regcred_pod_recovered_seconds", Help: "Time from the change of Secret or ServiceAccount until a cured pod left the phase Pending.",
			Buckets: []float64{0.5, 1, 2, 3, 5, 10, 20, 60, 120, 315},
		}, []string{"action"}),
	}
	m.policies = prometheus.NewGauge(prometheus.GaugeOpts{Name: "regcred_admission_policies_stand", Help: "1 where the operator's admission policies stand, 0 where one is missing or nothing is known yet."})
	m.index = newIndexMetrics(registry)
	registry.MustRegister(buildInfo(version.Get()), m.policies, m.podDecisions, m.podRecovered)
	registry.MustRegister(m.schedule, m.ready, m.selected, m.synced, m.expires, m.refused, m.atRisk, m.stuck, m.failing, m.verifications, m.rotationSeen, m.logins, m.reads, m.lastRead, m.tokenExpires, m.eventsFollowed)
	return m
}

// buildInfo is 1 for ever, and says by its labels which version runs.
func buildInfo(info version.Info) prometheus.Gauge {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "regcred_build_info", Help: "1, with the version of the operator in its labels.",
		ConstLabels: prometheus.Labels{"version": info.Version, "commit": info.Commit, "goversion": info.Go},
	})
	gauge.Set(1)
	return gauge
}

// PoliciesStand notes whether the admission policies that bound the operator stand.
func (m *Metrics) PoliciesStand(stand bool) {
	value := 0.0
	if stand {
		value = 1
	}
	m.policies.Set(value)
}

// Verified counts a test at a registry.
func (m *Metrics) Verified(credential, verdict string) {
	m.verifications.WithLabelValues(credential, verdict).Inc()
}

// RotationSeen observes how old a value was when it was published.
func (m *Metrics) RotationSeen(_ string, after time.Duration) {
	m.rotationSeen.Observe(after.Seconds())
}

// Observe notes the state of a RegistryCredential.
func (m *Metrics) Observe(credential string, ready bool, selected, synced int, expires time.Time) {
	value := 0.0
	if ready {
		value = 1
	}
	m.ready.WithLabelValues(credential).Set(value)
	m.selected.WithLabelValues(credential).Set(float64(selected))
	m.synced.WithLabelValues(credential).Set(float64(synced))
	if expires.IsZero() {
		m.expires.DeleteLabelValues(credential)
		return
	}
	m.expires.WithLabelValues(credential).Set(float64(expires.Unix()))
}

// Refused notes whether the registry refuses the credential in use, and how many running pods that endangers.
func (m *Metrics) Refused(credential string, refused bool, podsAtRisk int) {
	value := 0.0
	if refused {
		value = 1
	}
	m.refused.WithLabelValues(credential).Set(value)
	m.atRisk.WithLabelValues(credential).Set(float64(podsAtRisk))
}

// Troubles notes how many namespaces are not served, by reason, and how many pods are stuck. A reason that no namespace has any more has
// no series.
func (m *Metrics) Troubles(credential string, failing map[string]int, stuck int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, reason := range m.reasons[credential] {
		if _, still := failing[reason]; !still {
			m.failing.DeleteLabelValues(credential, reason)
		}
	}
	m.reasons[credential] = slices.Collect(maps.Keys(failing))
	for reason, namespaces := range failing {
		m.failing.WithLabelValues(credential, reason).Set(float64(namespaces))
	}
	m.stuck.WithLabelValues(credential).Set(float64(stuck))
}

// Schedule notes when things were done and are due. What is not known or not planned has no series.
func (m *Metrics) Schedule(credential string, schedule rotation.Schedule) {
	for what, at := range map[string]time.Time{
		"last_read": schedule.LastRead, "next_read": schedule.NextRead, "last_asked": schedule.LastAsked, "next_asked": schedule.NextAsked,
		"changed": schedule.Changed,
	} {
		if at.IsZero() {
			m.schedule.DeleteLabelValues(credential, what)
			continue
		}
		m.schedule.WithLabelValues(credential, what).Set(float64(at.Unix()))
	}
}

// Forget drops the series of a RegistryCredential that is gone.
func (m *Metrics) Forget(credential string) {
	for _, gauge := range []*prometheus.GaugeVec{m.ready, m.selected, m.synced, m.expires, m.refused, m.atRisk, m.stuck} {
		gauge.DeleteLabelValues(credential)
	}
	m.verifications.DeletePartialMatch(prometheus.Labels{"credential": credential})
	m.schedule.DeletePartialMatch(prometheus.Labels{"credential": credential})
	m.failing.DeletePartialMatch(prometheus.Labels{"credential": credential})
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.reasons, credential)
}

// Login counts a login at Vault.
func (m *Metrics) Login(connection, method, reason string) {
	m.logins.WithLabelValues(connection, method, reason).Inc()
}

// Read counts a read of Vault.
func (m *Metrics) Read(connection, reason string) {
	m.reads.WithLabelValues(connection, reason).Inc()
	if reason == "Read" {
		m.lastRead.WithLabelValues(connection).SetToCurrentTime()
	}
}

// TokenExpires notes when the present token ends.
func (m *Metrics) TokenExpires(connection string, at time.Time) {
	value := 0.0
	if !at.IsZero() {
		value = float64(at.Unix())
	}
	m.tokenExpires.WithLabelValues(connection).Set(value)
}

// EventsFollowed notes for how long more the events of a connection were followed.
func (m *Metrics) EventsFollowed(connection string, more time.Duration) {
	m.eventsFollowed.WithLabelValues(connection).Add(more.Seconds())
}

// ForgetConnection drops the series of a VaultConnection that is gone.
func (m *Metrics) ForgetConnection(connection string) {
	of := prometheus.Labels{"connection": connection}
	m.logins.DeletePartialMatch(of)
	m.reads.DeletePartialMatch(of)
	m.lastRead.Delete(of)
	m.tokenExpires.Delete(of)
	m.eventsFollowed.Delete(of)
}

// Decided counts a verdict about a stuck pod.
func (m *Metrics) Decided(action, reason string) {
	m.podDecisions.WithLabelValues(action, reason).Inc()
}

// Recovered observes how long a cure took.
func (m *Metrics) Recovered(action string, after time.Duration) {
	m.podRecovered.WithLabelValues(action).Observe(after.Seconds())
}
