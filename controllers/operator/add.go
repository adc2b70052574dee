package operator

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/controllers/attachment"
	"regcred.dev/regcred/controllers/connection"
	"regcred.dev/regcred/controllers/credential"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/wakeup"
)

// AddInjection adds what sees the admission policy for attach: Pods, and what keeps the index that it reads. The operator does not look for the
// policy while nobody asks for it. metrics may be nil.
func (p *Operator) AddInjection(metrics attachment.Metrics) error {
	policy := &wakeup.Notifier{}
	p.policy = injection.New(injection.Look(p.Clientset.AdmissionregistrationV1()), p.onPolicy(policy))
	p.book = injection.NewBook(func(credential string, since bool) {
		p.News.Notify(credential)
		if !since { // that concerns no Secret and no ServiceAccount, and the status tells it to who looks at pods
			p.Changed.Notify(credential)
		}
	})
	watches, err := client.NewWithWatch(p.Manager.GetConfig(), client.Options{
		Scheme: p.Manager.GetScheme(), Mapper: p.Manager.GetRESTMapper(), HTTPClient: p.Manager.GetHTTPClient(),
	})
	if err != nil {
		return err
	}
	if err := p.attaching(watches, metrics).SetupWithManager(p.Manager, policy); err != nil {
		return err
	}
	return p.Manager.Add(p.policy)
}

// onPolicy has the index, and all that goes by the policy, looked at again where that came or went.
func (p *Operator) onPolicy(policy *wakeup.Notifier) func(injection.State) {
	return func(injection.State) {
		policy.Notify("")
		p.WakeAll()
	}
}

func (p *Operator) attaching(watches attachment.Watches, metrics attachment.Metrics) *attachment.Reconciler {
	return &attachment.Reconciler{
		Cluster: p.Manager.GetClient(), Writer: p.Writer, Book: p.book, Watches: watches, Metrics: metrics, Watchdog: p.Watchdog,
	}
}

// AddDelivery adds the controller that writes pull Secrets.
func (p *Operator) AddDelivery() error {
	p.delivering = &delivery.Reconciler{
		Cluster: p.Manager.GetClient(), Writer: p.Writer, Secrets: p.Secrets, ServiceAccounts: p.ServiceAccounts,
		Store: p.Store, Board: p.Board, Pods: p.Pods, Protected: p.allProtected(), Now: p.Now, Watchdog: p.Watchdog, Injection: p.injects,
		Events: announce.Writer{Client: p.Writer, Now: p.Now},
	}
	return p.delivering.SetupWithManager(p.Manager, &p.Changed, &p.Proven)
}

// Reading is with what credentials are read and tested.
type Reading struct {
	Source source.Reader
	// Leases may be nil, where the source gives none. News is what the source tells, and may be nil.
	Leases source.Leases
	News   *credential.News
	Asker  credential.Asker
	// Images and Running look at pods. A lister of the cluster's where they are nil.
	Images  credential.Images
	Running credential.RunningPods
	Metrics credential.Metrics
}

// AddCredential adds the controller that reads, tests and publishes.
func (p *Operator) AddCredential(r Reading) error {
	if p.delivering == nil {
		return errors.New("delivery is added before: it knows what a removal concerns")
	}
	if r.Images == nil || r.Running == nil {
		pods, err := p.lister()
		if err != nil {
			return err
		}
		r.Images, r.Running = pods, pods
	}
	return p.reading(r).SetupWithManager(p.Manager, &p.News)
}

func (p *Operator) reading(r Reading) *credential.Reconciler {
	return &credential.Reconciler{
		Client: p.Manager.GetClient(), Live: p.Manager.GetAPIReader(), Source: r.Source, Leases: r.Leases, Asker: r.Asker, Images: r.Images, Running: r.Running,
		Store: p.Store, Board: p.Board, Pods: p.Pods, Secrets: p.Secrets, ServiceAccounts: p.ServiceAccounts, Removal: p.delivering.Removal,
		Protected: p.allProtected(), Events: p.events, Metrics: r.Metrics, Injection: p.injects, Now: new(awake).now, ClusterNow: p.Now,
		SourceNews: r.News, Watchdog: p.Watchdog, Traces: p.Traces,
	}
}

// AddConnection adds the controller of VaultConnections. unfenced says what people should know of the operator's own admission policies.
func (p *Operator) AddConnection(checker connection.Checker, unfenced func() string) error {
	return p.connecting(checker, unfenced).SetupWithManager(p.Manager, &p.Troubled)
}

func (p *Operator) connecting(checker connection.Checker, unfenced func() string) *connection.Reconciler {
	return &connection.Reconciler{Client: p.Manager.GetClient(), Checker: checker, Events: p.events, Unfenced: unfenced, Watchdog: p.Watchdog}
}

// Curing is how stuck pods are cured.
type Curing struct {
	Limits         recovery.Limits
	SuccessorFirst bool
	OwnerKinds     diagnosis.OwnerKinds
	// Prober may be nil: then no registry is asked.
	Prober recovery.Prober
	// Metrics may be nil.
	Metrics recovery.Metrics
}

// AddRecovery adds the controller of stuck pods.
func (p *Operator) AddRecovery(scheme *runtime.Scheme, c Curing) error {
	pods, err := recovery.NewPodCache(p.Manager.GetConfig(), scheme)
	if err != nil {
		return err
	}
	lists, err := p.lister()
	if err != nil {
		return err
	}
	return p.addCuring(p.curing(c, pods, lists))
}

// addCuring says who wakes the controller of stuck pods: values that were published, and deliveries, are not the same to it.
func (p *Operator) addCuring(r *recovery.Reconciler) error {
	return r.SetupWithManager(p.Manager, &p.Changed, &p.Delivered)
}

func (p *Operator) curing(c Curing, pods cache.Cache, lists recovery.Lists) *recovery.Reconciler {
	return &recovery.Reconciler{
		Cluster: p.Manager.GetClient(), Writer: p.Writer, Pods: pods, Lists: lists, Secrets: p.Secrets, ServiceAccounts: p.ServiceAccounts,
		Store: p.Store, Board: p.Board, Tally: p.Pods, Prober: c.Prober, Protected: p.Protected, OwnNamespace: p.Namespace,
		Limits: c.Limits, SuccessorFirst: c.SuccessorFirst, OwnerKinds: c.OwnerKinds, Events: p.events, Metrics: c.Metrics, Now: p.Now,
		Watchdog: p.Watchdog, Traces: p.Traces,
	}
}

func (p *Operator) lister() (*podlist.Lister, error) {
	return podlist.New(p.Manager.GetConfig(), p.Manager.GetHTTPClient())
}
