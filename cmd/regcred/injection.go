package main

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/attachment"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/wakeup"
)

// watchInjection adds what sees the admission policy for attach: Pods, and what keeps the index that the policy reads. When the policy comes
// or goes, everything that it decides is looked at again; when the index changes, the RegistryCredentials that it concerns.
func (p *parts) watchInjection() error {
	policy := &wakeup.Notifier{}
	p.injection = injection.New(injection.Look(p.clientset.AdmissionregistrationV1()), func(injection.State) {
		policy.Notify("")
		p.wakeWriters()
	})
	p.book = injection.NewBook(func(credential string, since bool) {
		p.news.Notify(credential)
		if !since { // that concerns no Secret and no ServiceAccount, and the status tells it to who looks at pods
			p.changed.Notify(credential)
		}
	})
	watches, err := client.NewWithWatch(p.mgr.GetConfig(), client.Options{Scheme: p.mgr.GetScheme(), Mapper: p.mgr.GetRESTMapper(), HTTPClient: p.mgr.GetHTTPClient()})
	if err != nil {
		return err
	}
	keeping := &attachment.Reconciler{
		Cluster: p.mgr.GetClient(), Writer: p.writer, Book: p.book, Watches: watches, Metrics: p.metrics, Watchdog: p.watchdog,
	}
	if err := keeping.SetupWithManager(p.mgr, policy); err != nil {
		return err
	}
	return p.mgr.Add(p.injection)
}

// injects says whether new pods get the Secret of a RegistryCredential with attach: Pods.
func (p *parts) injects(credential *v1alpha1.RegistryCredential) injection.State {
	return p.book.State(p.injection.State(), credential)
}
