package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"regcred.dev/regcred/controllers/credential"
	"regcred.dev/regcred/controllers/operator"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/internal/watchdog"
)

// parts are the controllers, and what the program gives them.
type parts struct {
	*operator.Operator
	options *options
	metrics *telemetry.Metrics
	prober  *verify.Verifier
	guards
}

// guards keep the operator from harm, and notice where it does none of its work.
type guards struct {
	// fence is nil without leader election.
	fence *fence.Fence
	// gate is closed to writes of Secrets while the admission policies do not stand.
	gate     *policycheck.Gate
	watchdog *watchdog.Watchdog
}

// addControllers adds all controllers to the manager. now is the API server's time: that of what is compared with the age of pods. stop ends
// the program.
func addControllers(ctx context.Context, mgr ctrl.Manager, o *options, guarded guards, now func() time.Time, stop context.CancelFunc) error {
	p, err := newParts(ctx, mgr, o, guarded, now, stop)
	if err != nil {
		return err
	}
	telemetry.OfProcess(metrics.Registry, fenceOf(p.fence), p.watchdog)
	if err := p.AddInjection(p.metrics); err != nil {
		return fmt.Errorf("injection: %w", err)
	}
	if err := p.AddDelivery(); err != nil {
		return fmt.Errorf("delivery: %w", err)
	}
	if err := p.addCredential(); err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	if err := p.AddRecovery(scheme, p.cures()); err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	if err := p.checkPolicies(); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	return mgr.AddHealthzCheck("controllers", p.watchdog.Check)
}

func newParts(ctx context.Context, mgr ctrl.Manager, o *options, guarded guards, now func() time.Time, stop context.CancelFunc) (*parts, error) {
	p := &parts{options: o, metrics: telemetry.New(metrics.Registry), guards: guarded}
	common := o.common(now, guarded.watchdog)
	var err error
	if common.SecretNames, err = granted(ctx, mgr, "secrets", o.secretNames, stop); err != nil {
		return nil, fmt.Errorf("--secret-names: %w", err)
	}
	if common.ServiceAccountNames, err = granted(ctx, mgr, "serviceaccounts", o.serviceAccountNames, stop); err != nil {
		return nil, fmt.Errorf("--service-account-names: %w", err)
	}
	if common.Traces, err = newTraces(ctx, mgr, o); err != nil {
		return nil, err
	}
	if p.Operator, err = operator.New(ctx, mgr, common); err != nil {
		return nil, err
	}
	roots, err := verify.RootCAs(o.registryCAs)
	if err != nil {
		return nil, err
	}
	proxies, err := registryProxies(o.registryProxies, p.secret)
	if err != nil {
		return nil, err
	}
	p.prober = verify.New(o.verifying(roots, proxies))
	return p, nil
}

// common is what all controllers have in common, without what has to be asked for.
func (o *options) common(now func() time.Time, dog *watchdog.Watchdog) operator.Options {
	return operator.Options{Namespace: o.namespace, Protected: o.protectedNamespaces, Now: now, Watchdog: dog}
}

// verifying is how registries are asked.
func (o *options) verifying(roots func(string) *x509.CertPool, proxies func(string, bool) (*proxy.Server, error)) verify.Options {
	return verify.Options{InsecureRegistries: o.insecureRegistries, AllowLoopback: o.loopbackRegistries, RootCAs: roots, Proxy: proxies}
}

// cures is how stuck pods are cured.
func (p *parts) cures() operator.Curing {
	return operator.Curing{
		Limits: p.options.recovery, SuccessorFirst: p.options.successorFirst, OwnerKinds: diagnosis.OwnerKinds(p.options.ownerKinds),
		Prober: p.prober, Metrics: p.metrics,
	}
}

// granted are the names that the operator's role grants, so that a name that it lacks is said to be missing. The
// operator restarts when it is granted another.
func granted(ctx context.Context, mgr ctrl.Manager, resource string, names []string, stop context.CancelFunc) ([]string, error) {
	clientset, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	granted, lacking, err := access(ctx, clientset, resource, names)
	if err != nil || len(lacking) == 0 {
		return granted, err
	}
	ctrl.Log.Info("The operator's role lacks names that its flags list; RegistryCredentials that want them are Stalled",
		"resource", resource, "names", lacking)
	return granted, mgr.Add(restartWhenGranted(clientset, resource, lacking, stop))
}

// addCredential adds what reads Vault: for VaultConnections, and for RegistryCredentials.
func (p *parts) addCredential() error {
	news := &credential.News{}
	vaults, err := vault.New(p.vaults(news))
	if err != nil {
		return err
	}
	if err := p.Manager.Add(vaults); err != nil {
		return err
	}
	if err := p.AddConnection(checker{vaults}, p.unfenced); err != nil {
		return err
	}
	sources := source.NewPatient(source.Mux{source.VaultMember(vaults)}, time.Now)
	return p.AddCredential(p.readings(sources, news))
}

// vaults is how Vault is spoken to.
func (p *parts) vaults(news *credential.News) vault.Options {
	return vault.Options{
		Connection:       p.connection,
		Secret:           p.secret,
		ConfigMap:        p.configMapValue,
		RequestToken:     p.requestToken,
		Exchange:         exchange.New(exchange.NewTransport(), time.Now),
		AllowedAddresses: p.options.vaultAddresses,
		Metrics:          p.metrics,
		Troubled:         p.Troubled.Notify,
		Told:             news.Tell,
		EventsChanged: func(connection, message string) {
			ctrl.Log.Info("Events of Vault: "+message, "connection", connection)
		},
	}
}

// readings is with what credentials are read and tested.
func (p *parts) readings(sources *source.Patient, news *credential.News) operator.Reading {
	return operator.Reading{Source: sources, Leases: fencedLeases{sources, p.fence}, News: news, Asker: p.prober, Metrics: p.metrics}
}
