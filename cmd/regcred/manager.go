package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/operator"
	"regcred.dev/regcred/internal/metricsaccess"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/watchdog"
)

var scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
}

// run sets everything up and works until the context ends or the leader's lease is lost.
func run(ctx context.Context, o *options) error {
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	setLogger(level, o.logDevelopment)
	boundMemory(&heapFollower{set: debug.SetGCPercent})
	if o.namespace == "" {
		return errors.New("--namespace or the environment variable POD_NAMESPACE must name the operator's own namespace")
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	sayVersions(config, o)
	// The API server's own priority and fairness limits us better than a guess on this side.
	config.QPS = -1
	dog, clock, gate := &watchdog.Watchdog{}, &serverClock{local: time.Now}, policycheck.NewGate(o.requireFence)
	guard(config, dog, clock, gate)
	leading, err := newLeadership(config, o)
	if err != nil {
		return err
	}
	mgr, err := newManager(leading, o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := addControllers(ctx, mgr, o, guards{leading.fence, gate, dog}, clock.now, stop); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// guard has all requests of the operator guarded: a watch that says nothing ends, answers tell the API server's time, and writes of Secrets ask the gate.
func guard(config *rest.Config, dog *watchdog.Watchdog, clock *serverClock, gate *policycheck.Gate) {
	config.Wrap(dog.EndSilentWatches(watchdog.Silence))
	config.Wrap(clock.wrap)
	config.Wrap(gate.Wrap)
}

func newManager(leading *leadership, o *options) (ctrl.Manager, error) {
	mgr, err := ctrl.NewManager(leading.config, managerOptions(leading, o))
	if err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	var filled atomic.Bool // caches that were filled stay so, and a busy machine must not make a ready operator unready
	return mgr, mgr.AddReadyzCheck("caches", func(request *http.Request) error {
		if filled.Load() {
			return nil
		}
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("caches are being filled")
		}
		filled.Store(true)
		return nil
	})
}

func managerOptions(leading *leadership, o *options) ctrl.Options {
	return ctrl.Options{
		Scheme:  scheme,
		Cache:   operator.CacheOptions(o.namespace),
		Metrics: metricsOptions(o),
		// A leader that stops gives the lease back at once: whoever waits takes over without waiting for its end.
		LeaderElection:                      o.leaderElect,
		LeaderElectionResourceLockInterface: leading.lock,
		LeaderElectionID:                    leaseName, // names the lease in metrics
		LeaseDuration:                       ptr.To(leaseDuration),
		RenewDeadline:                       ptr.To(renewDeadline),
		RetryPeriod:                         ptr.To(retryPeriod),
		LeaderElectionReleaseOnCancel:       true,
		HealthProbeBindAddress:              o.probeAddress,
		GracefulShutdownTimeout:             ptr.To(20 * time.Second),
	}
}

func metricsOptions(o *options) metricsserver.Options {
	m := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: !o.insecureMetrics, CertDir: o.metricsCertDir}
	if !o.insecureMetrics {
		m.FilterProvider = metricsaccess.Filter
	}
	return m
}
