package main

import "regcred.dev/regcred/internal/injection"

// watchInjection adds what sees the admission policy for attach: Pods. When it comes or goes, everything that it decides is looked at again.
func (p *parts) watchInjection() error {
	p.injection = injection.New(injection.Look(p.clientset.AdmissionregistrationV1()), func(injection.State) { p.wakeWriters() })
	return p.mgr.Add(p.injection)
}
