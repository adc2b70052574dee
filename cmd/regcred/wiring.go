package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"regcred.dev/regcred/controllers/connection"
	"regcred.dev/regcred/controllers/credential"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/source/vault"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

// parts that the controllers share.
type parts struct {
	mgr       ctrl.Manager
	options   *options
	writer    client.Client
	clientset *kubernetes.Clientset
	secrets   *named.Caches
	accounts  *named.Caches
	metrics   *telemetry.Metrics
	// changed notifies when a new value is published, delivered when deliveries changed, news on what a status is made of, troubled when
	// a VaultConnection became usable or unusable.
	changed, delivered, news, troubled wakeup.Notifier
	store                              *records.Store
	board                              *delivered.Board
	tally                              *podcounts.Counter
	prober                             *verify.Verifier
	protected                          []string
	// injection sees the admission policy for attach: Pods.
	injection *injection.Watcher
	// book knows what is in the index that this policy reads.
	book *injection.Book
	// now is the API server's time: that of what is compared with the age of pods.
	now func() time.Time
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

// addControllers wires everything together. now is the API server's time. stop ends the process, so that it restarts with other
// rights.
func addControllers(ctx context.Context, mgr ctrl.Manager, o *options, guarded guards, now func() time.Time, stop context.CancelFunc) error {
	p, err := newParts(ctx, mgr, o, stop)
	if err != nil {
		return err
	}
	p.guards, p.now = guarded, now
	telemetry.OfProcess(metrics.Registry, fenceOf(p.fence), p.watchdog)
	if err := p.watchInjection(); err != nil {
		return fmt.Errorf("injection: %w", err)
	}
	delivering := &delivery.Reconciler{
		Cluster: mgr.GetClient(), Writer: p.writer, Secrets: p.secrets, ServiceAccounts: p.accounts,
		Store: p.store, Board: p.board, Pods: p.tally, Protected: p.protected, Now: p.now, Watchdog: p.watchdog,
		Injection: p.injects,
	}
	if err := delivering.SetupWithManager(mgr, &p.changed); err != nil {
		return fmt.Errorf("delivery: %w", err)
	}
	if err := p.addCredential(delivering); err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	if err := p.addRecovery(); err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	if err := p.checkPolicies(); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	return mgr.AddHealthzCheck("controllers", p.watchdog.Check)
}

func newParts(ctx context.Context, mgr ctrl.Manager, o *options, stop context.CancelFunc) (*parts, error) {
	p := &parts{mgr: mgr, options: o, metrics: telemetry.New(metrics.Registry), protected: append([]string{o.namespace}, o.protectedNamespaces...)}
	var err error
	if p.writer, err = client.New(mgr.GetConfig(), client.Options{Scheme: scheme, HTTPClient: mgr.GetHTTPClient()}); err != nil {
		return nil, err
	}
	if p.clientset, err = kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient()); err != nil {
		return nil, err
	}
	if p.secrets, err = p.caches(ctx, "secrets", o.secretNames, &corev1.Secret{}, stop); err != nil {
		return nil, fmt.Errorf("--secret-names: %w", err)
	}
	if p.accounts, err = p.caches(ctx, "serviceaccounts", o.serviceAccountNames, &corev1.ServiceAccount{}, stop); err != nil {
		return nil, fmt.Errorf("--service-account-names: %w", err)
	}
	roots, err := verify.RootCAs(o.registryCAs)
	if err != nil {
		return nil, err
	}
	proxies, err := registryProxies(o.registryProxies, p.secret)
	if err != nil {
		return nil, err
	}
	p.prober = verify.New(verify.Options{InsecureRegistries: o.insecureRegistries, AllowLoopback: o.loopbackRegistries, RootCAs: roots, Proxy: proxies})
	p.store = records.NewStore(p.clientset.CoreV1(), o.namespace, p.changed.Notify)
	p.board = delivered.NewBoard(func(name string) { p.delivered.Notify(name); p.news.Notify(name) })
	p.tally = podcounts.New(p.news.Notify)
	return p, nil
}

// caches of one kind by the names that were given and that RBAC grants. A name that RBAC lacks is no crash: RegistryCredentials
// that want it say so, and the operator restarts when it is granted.
func (p *parts) caches(ctx context.Context, resource string, names []string, kind client.Object, stop context.CancelFunc) (*named.Caches, error) {
	granted, lacking, err := access(ctx, p.clientset, resource, names)
	if err != nil {
		return nil, err
	}
	if len(lacking) > 0 {
		ctrl.Log.Info("The operator's role lacks names that its flags list; RegistryCredentials that want them are Stalled",
			"resource", resource, "names", lacking)
		if err := p.mgr.Add(restartWhenGranted(p.clientset, resource, lacking, stop)); err != nil {
			return nil, err
		}
	}
	caches, err := named.New(p.mgr.GetConfig(), cache.Options{
		Scheme: scheme, HTTPClient: p.mgr.GetHTTPClient(), Mapper: p.mgr.GetRESTMapper(),
	}, granted)
	if err != nil {
		return nil, err
	}
	return caches, caches.AddTo(ctx, p.mgr, kind)
}

func (p *parts) addCredential(delivering *delivery.Reconciler) error {
	news := &credential.News{}
	vaults, err := vault.New(vault.Options{
		Connection:       p.connection,
		Secret:           p.secret,
		ConfigMap:        p.configMapValue,
		RequestToken:     p.requestToken,
		Exchange:         exchange.New(exchange.NewTransport(), time.Now),
		AllowedAddresses: p.options.vaultAddresses,
		Metrics:          p.metrics,
		Troubled:         p.troubled.Notify,
		Told:             news.Tell,
		EventsChanged: func(connection, message string) {
			ctrl.Log.Info("Events of Vault: "+message, "connection", connection)
		},
	})
	if err != nil {
		return err
	}
	if err := p.mgr.Add(vaults); err != nil {
		return err
	}
	events := announce.New(p.mgr.GetEventRecorder("regcred"))
	connecting := &connection.Reconciler{Client: p.mgr.GetClient(), Checker: checker{vaults}, Events: events, Unfenced: p.unfenced, Watchdog: p.watchdog}
	if err := connecting.SetupWithManager(p.mgr, &p.troubled); err != nil {
		return err
	}
	pods, err := podlist.New(p.mgr.GetConfig(), p.mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	sources := source.NewPatient(source.Mux{source.VaultMember(vaults)}, time.Now)
	reading := &credential.Reconciler{
		Client: p.mgr.GetClient(), Source: sources, Leases: fencedLeases{sources, p.fence},
		Asker:  p.prober,
		Images: pods, Running: pods,
		Store: p.store, Board: p.board, Pods: p.tally, Secrets: p.secrets, ServiceAccounts: p.accounts,
		Removal:   delivering.Removal,
		Protected: p.protected, Events: events, Metrics: p.metrics, Now: time.Now,
		Injection: p.injects, ClusterNow: p.now,
		SourceNews: news, Watchdog: p.watchdog,
	}
	return reading.SetupWithManager(p.mgr, &p.news)
}

func (p *parts) addRecovery() error {
	pods, err := recovery.NewPodCache(p.mgr.GetConfig(), scheme)
	if err != nil {
		return err
	}
	lists, err := podlist.New(p.mgr.GetConfig(), p.mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	healing := &recovery.Reconciler{
		Cluster: p.mgr.GetClient(), Writer: p.writer, Pods: pods, Lists: lists, Secrets: p.secrets, ServiceAccounts: p.accounts,
		Store: p.store, Board: p.board, Tally: p.tally, Prober: p.prober, Protected: p.options.protectedNamespaces, OwnNamespace: p.options.namespace,
		Limits: p.options.recovery, SuccessorFirst: p.options.successorFirst, OwnerKinds: diagnosis.OwnerKinds(p.options.ownerKinds), Events: announce.New(p.mgr.GetEventRecorder("regcred")), Metrics: p.metrics, Now: p.now,
		Watchdog: p.watchdog,
	}
	return healing.SetupWithManager(p.mgr, &p.changed, &p.delivered)
}
