package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Fence keeps a replica that may not be the leader from writing.
type Fence interface {
	// Open reports whether a write would be sent now.
	Open() bool
	// Refused counts what was not sent since the start.
	Refused() uint64
}

// Watchdog notices what stands still.
type Watchdog interface {
	// Stalled counts the controllers that stand still now.
	Stalled() int
	// SilentWatches counts the watches that were ended since the start because nothing came over them.
	SilentWatches() uint64
}

// OfProcess registers what is asked of the process at each scrape, on every replica. It panics where that fails.
func OfProcess(registry prometheus.Registerer, fence Fence, watchdog Watchdog) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "regcred_lease_fence_open", Help: "1 while this replica surely is the leader and may write, 0 on all others.",
		}, func() float64 {
			if fence.Open() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "regcred_lease_fence_refused_total", Help: "Writes that were not sent because this replica might not be the leader any more.",
		}, func() float64 { return float64(fence.Refused()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "regcred_controllers_stalled", Help: "Controllers that have work and do nothing. The liveness probe fails while it is not 0.",
		}, func() float64 { return float64(watchdog.Stalled()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "regcred_silent_watches_total", Help: "Watches of the API server that were started again because nothing came over them.",
		}, func() float64 { return float64(watchdog.SilentWatches()) }),
	)
}
