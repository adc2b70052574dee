package delivery

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
	"regcred.dev/regcred/internal/width"
)

const (
	backOffStart = 50 * time.Millisecond
	// safetyPass is how often every place is looked at though nothing was seen to change: what a silent watch missed.
	safetyPass = 10 * time.Minute
	// reserved is how many places that somebody waits for are worked on beside as many others as the API server is thought to take.
	reserved = 8
)

// SetupWithManager adds the controller to a manager. changed notifies when a published value changes, proven when registries accept the one that is
// published at last.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, changed, proven *wakeup.Notifier) error {
	c, err := watchdog.Controller(r.Watchdog, mgr, watchdog.Spec{
		Name: "delivery", Workers: width.Most + reserved, BackOffStart: backOffStart,
		Lanes: &watchdog.Lanes{Width: r.width.Now, Reserved: reserved, Urgent: urgent},
	}, r)
	if err != nil {
		return err
	}
	watches, err := r.watches(mgr, changed, proven)
	if err != nil {
		return err
	}
	for _, watch := range watches {
		if err := c.Watch(watch); err != nil {
			return err
		}
	}
	return nil
}

// watches are all that can change what is to be done about a place.
func (r *Reconciler) watches(mgr ctrl.Manager, changed, proven *wakeup.Notifier) ([]source.TypedSource[delivered.Place], error) {
	watches := []source.TypedSource[delivered.Place]{
		source.TypedKind(mgr.GetCache(), &v1alpha1.RegistryCredential{}, r.onCredential(), onSpec()),
		source.TypedKind(mgr.GetCache(), &corev1.Namespace{}, r.urgently(), onLabels()),
		r.onChange(changed),
		r.onProven(proven),
		r.onTimer(),
	}
	err := r.Secrets.Each(func(one cache.Cache) error {
		watches = append(watches, source.TypedKind(one, &corev1.Secret{}, r.onSecret()))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.ServiceAccounts.Each(func(one cache.Cache) error {
		watches = append(watches, source.TypedKind(one, &corev1.ServiceAccount{}, r.onAccount(), onAttachment()))
		return nil
	})
	return watches, err
}
