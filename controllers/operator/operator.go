// Package operator puts the controllers together: which of them wakes which, and what they share, is written here alone. The program fills its
// options from flags; tests that run controllers in their own process fill them with stand-ins.
package operator

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/tracing"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

// Options are what all controllers have in common.
type Options struct {
	// Namespace is the operator's own.
	Namespace string
	// SecretNames and ServiceAccountNames are those that its role grants.
	SecretNames, ServiceAccountNames []string
	// Protected namespaces are served only where a RegistryCredential names them outright. Namespace is another.
	Protected []string
	// Now is the API server's time, with which the age of pods is compared.
	Now func() time.Time
	// Watchdog notices controllers that stand still. It may be nil.
	Watchdog *watchdog.Watchdog
	// Traces of rotations. Nil where nobody asked for them.
	Traces *tracing.Rotations
}

// Operator is what the controllers share. Make it with New, then add the controllers: AddInjection first, AddDelivery before AddCredential.
type Operator struct {
	Options
	Manager ctrl.Manager
	// Writer sends past the caches. It may be replaced before controllers are added.
	Writer    client.Client
	Clientset kubernetes.Interface
	// Secrets and ServiceAccounts are cached by the names that the operator was given.
	Secrets, ServiceAccounts *named.Caches
	Store                    *records.Store
	Board                    *delivered.Board
	Pods                     *podcounts.Counter
	// Changed notifies when a new value is published, Proven when registries accept the published one at last, Delivered when deliveries changed,
	// News on what a status is made of, Troubled when a VaultConnection became usable or unusable.
	Changed, Proven, Delivered, News, Troubled wakeup.Notifier

	events announce.Recorder
	// policy sees the admission policy for attach: Pods, and book knows what is in the index that it reads. Both are nil before AddInjection.
	policy *injection.Watcher
	book   *injection.Book
	// delivering is nil before AddDelivery.
	delivering *delivery.Reconciler
}

// New makes what the controllers share. The manager's cache must have CacheOptions.
func New(ctx context.Context, mgr ctrl.Manager, o Options) (*Operator, error) {
	p := &Operator{Options: o, Manager: mgr, events: announce.New(mgr.GetEventRecorder(announce.Reporter))}
	if err := addInformers(ctx, mgr.GetCache(), o.Namespace); err != nil {
		return nil, err
	}
	var err error
	if p.Writer, err = client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), HTTPClient: mgr.GetHTTPClient()}); err != nil {
		return nil, err
	}
	if p.Clientset, err = kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient()); err != nil {
		return nil, err
	}
	if p.Secrets, err = p.caches(ctx, o.SecretNames, &corev1.Secret{}); err != nil {
		return nil, err
	}
	if p.ServiceAccounts, err = p.caches(ctx, o.ServiceAccountNames, &corev1.ServiceAccount{}); err != nil {
		return nil, err
	}
	p.Store = records.NewStore(p.Clientset.CoreV1(), o.Namespace, p.Changed.Notify)
	p.Store.Proven = p.Proven.Notify
	p.Board = delivered.NewBoard(func(name string) {
		p.Traces.Touched(name)
		p.Delivered.Notify(name)
		p.News.Notify(name)
	})
	p.Pods = podcounts.New(p.News.Notify)
	return p, nil
}

func (p *Operator) caches(ctx context.Context, names []string, kind client.Object) (*named.Caches, error) {
	caches, err := named.New(p.Manager.GetConfig(), cache.Options{
		Scheme: p.Manager.GetScheme(), HTTPClient: p.Manager.GetHTTPClient(), Mapper: p.Manager.GetRESTMapper(),
	}, names)
	if err != nil {
		return nil, err
	}
	return caches, caches.AddTo(ctx, p.Manager, kind)
}

// allProtected are the namespaces that no selector reaches.
func (p *Operator) allProtected() []string { return append(slices.Clone(p.Protected), p.Namespace) }

// WakeAll has everything looked at again at once, whatever its back-off: what was refused may be allowed now.
func (p *Operator) WakeAll() {
	var list v1alpha1.RegistryCredentialList
	if p.Manager.GetClient().List(context.Background(), &list, client.UnsafeDisableDeepCopy) != nil {
		return // everything is looked at again in any case
	}
	for i := range list.Items {
		p.News.Notify(list.Items[i].Name)
		p.Changed.Notify(list.Items[i].Name)
	}
}

// injects says whether pods get the Secret of a RegistryCredential by the admission policy: neither is known before AddInjection.
func (p *Operator) injects(credential *v1alpha1.RegistryCredential) injection.State {
	if p.policy == nil {
		return injection.State{}
	}
	return p.book.State(p.policy.State(), credential)
}
