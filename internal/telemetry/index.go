package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// indexMetrics are those of the InjectionIndex, which the admission policy for spec.target.attach: Pods reads.
type indexMetrics struct {
	bytes, credentials, leftOut, changed prometheus.Gauge
	failures                             prometheus.Counter
}

func newIndexMetrics(registry prometheus.Registerer) indexMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := indexMetrics{
		bytes:       gauge("regcred_injection_index_bytes", "Size of what the InjectionIndex holds, of 262144 bytes."),
		credentials: gauge("regcred_injection_index_credentials", "RegistryCredentials with attach: Pods that the InjectionIndex holds."),
		leftOut:     gauge("regcred_injection_index_left_out", "RegistryCredentials with attach: Pods that the InjectionIndex has no room for."),
		changed:     gauge("regcred_injection_index_changed_timestamp_seconds", "When the InjectionIndex last changed, 0 where there is none."),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "regcred_injection_index_failures_total", Help: "Times that the InjectionIndex could not be read or written.",
		}),
	}
	registry.MustRegister(m.bytes, m.credentials, m.leftOut, m.changed, m.failures)
	return m
}

// InjectionIndexKept notes what the InjectionIndex holds, and since when.
func (m *Metrics) InjectionIndexKept(bytes, credentials, leftOut int, changed time.Time) {
	m.index.bytes.Set(float64(bytes))
	m.index.credentials.Set(float64(credentials))
	m.index.leftOut.Set(float64(leftOut))
	at := 0.0
	if !changed.IsZero() {
		at = float64(changed.Unix())
	}
	m.index.changed.Set(at)
}

// InjectionIndexFailed counts an InjectionIndex that could not be read or written.
func (m *Metrics) InjectionIndexFailed() { m.index.failures.Inc() }
