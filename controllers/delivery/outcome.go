package delivery

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/registry"
)

// outcome is what became of one place.
type outcome struct {
	// secret of ours as it is now, nil where there is none.
	secret *corev1.Secret
	// asMeant is false where the API server keeps another Secret than it was given.
	asMeant bool
	taken   []pullsecret.Taken
	// refused are the RegistryCredentials for whose entries the Secret has no room.
	refused []string
	// problem concerns all RegistryCredentials of the place, and accounts those that want the ServiceAccount.
	problem  *problem
	accounts map[string]*problem
}

func (o outcome) with(p *problem) outcome {
	o.problem = p
	return o
}

// settled reports whether the Secret is as it should be, so that there is nothing to look at until something changes.
func (o outcome) settled() bool {
	return o.secret != nil && o.secret.ResourceVersion != "" && o.asMeant && o.worst() == nil
}

// worst is the gravest of all problems.
func (o outcome) worst() *problem {
	if len(o.accounts) == 0 { // as it nearly always is
		return o.problem
	}
	problems := []*problem{o.problem}
	for _, name := range slices.Sorted(maps.Keys(o.accounts)) {
		problems = append(problems, o.accounts[name])
	}
	return gravest(problems...)
}

func (o outcome) conflict() bool {
	if o.problem != nil && o.problem.conflict {
		return true
	}
	for _, p := range o.accounts {
		if p.conflict {
			return true
		}
	}
	return false
}

// after is when to come back without being called, never where it is zero.
func (o outcome) after() time.Duration {
	var wait time.Duration
	if o.problem != nil && !o.problem.retry {
		wait = o.problem.after
	}
	for _, p := range o.accounts {
		if p != nil && !p.retry {
			wait = soonest(wait, p.after)
		}
	}
	return wait
}

// soonest of two waits, of which zero means never.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// after is when a removal is decided that the place waits for, never where it is zero.
func (f facts) after() time.Duration {
	var wait time.Duration
	for _, one := range f.waits {
		wait = soonest(wait, one.after)
	}
	return wait
}

// retry is the error that has the queue's back-off try again.
func (o outcome) retry() error {
	p := o.worst()
	if p == nil || !p.retry {
		return nil
	}
	return fmt.Errorf("%s: %s", p.reason, p.message)
}

// problemOf is what stands against one RegistryCredential: a ServiceAccount that another one wants is not its concern.
func (o outcome) problemOf(credential *v1alpha1.RegistryCredential) *problem {
	if o.problem == nil && len(o.accounts) == 0 && len(o.refused) == 0 { // as it nearly always is
		return nil
	}
	problems := []*problem{o.problem}
	for _, name := range credential.Spec.Target.Accounts() {
		problems = append(problems, o.accounts[name])
	}
	if slices.Contains(o.refused, credential.Name) {
		problems = append([]*problem{full}, problems...)
	}
	return gravest(problems...)
}

// deliveries says, for each RegistryCredential that selects the place or has entries there, what became of it. before says when the
// place was last right.
func (o outcome) deliveries(f facts, before *delivered.Board) map[string]delivered.Delivery {
	if p := o.worst(); p != nil && p.gone {
		return nil
	}
	written := recordOf(o.secret)
	findings, known := o.findings(), map[string][]string{}
	if len(findings) > 0 { // as few Secrets have
		known = recorders(written, f.exists)
	}
	deliveries := map[string]delivered.Delivery{}
	for _, credential := range slices.Concat(f.staying, f.leaves) {
		if _, there := written[credential.Name]; there {
			deliveries[credential.Name] = o.left(f, credential, written)
		}
	}
	for _, credential := range f.selecting {
		d := delivered.Delivery{Selected: true, Version: versionIn(written, credential.Name), Observed: credential.Generation, Generation: credential.Generation}
		d.Finding = findingOf(credential.Name, findings, known)
		if p := o.problemOf(credential); p != nil {
			last, _ := before.At(f.place, credential.Name)
			d.Reason, d.Message, d.ServiceAccounts, d.Generation = p.reason, foreign.Message(p.message), p.account, last.Generation
		}
		if taken := slices.IndexFunc(o.taken, func(t pullsecret.Taken) bool { return t.Credential == credential.Name }); taken >= 0 {
			d.TakenBy = o.taken[taken].Winner
		}
		deliveries[credential.Name] = d
	}
	return deliveries
}

// left says why a place that a RegistryCredential does not select still has entries of it.
func (o outcome) left(f facts, credential *v1alpha1.RegistryCredential, written pullsecret.Sources) delivered.Delivery {
	d := delivered.Delivery{Version: versionIn(written, credential.Name), Observed: credential.Generation}
	waits, waiting := f.waits[credential.Name]
	switch {
	case o.problem != nil:
		d.Reason, d.Message = o.problem.reason, foreign.Message(o.problem.message)
	case waiting && waits.id != "":
		d.Reason, d.Message = v1alpha1.ReasonRemovalUnconfirmed, "the entry stays, with present values, until removal "+waits.id+" is confirmed"
	case waiting:
		d.Reason, d.Message = v1alpha1.ReasonProgressing, "the entry is to be removed"
	}
	return d
}

func versionIn(written pullsecret.Sources, credential string) delivered.Version {
	return delivered.Version{Revision: written[credential].Revision, Digest: written[credential].Digest}
}

// findings are the entries of the Secret that no kubelet can use, or that it has more than are looked at.
func (o outcome) findings() []dockerconfig.Finding {
	if o.secret == nil {
		return nil
	}
	var findings []dockerconfig.Finding
	for _, found := range dockerconfig.Lint(o.secret.Data[corev1.DockerConfigJsonKey]) {
		if found.Key != "" || found.Reason == dockerconfig.ReasonTooLarge { // of which the rest is not known
			findings = append(findings, found)
		}
	}
	return findings
}

// recorders are the RegistryCredentials that exist and record a docker config key, by key.
func recorders(written pullsecret.Sources, exists func(string) bool) map[string][]string {
	names := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if !exists(name) {
			continue
		}
		for _, key := range written[name].Keys {
			names[key] = append(names[key], name)
		}
	}
	return names
}

// findingOf is the first finding that concerns a RegistryCredential: in an entry of its own, or in one that is kept for nobody.
func findingOf(credential string, findings []dockerconfig.Finding, recorders map[string][]string) dockerconfig.Finding {
	for _, found := range findings {
		if slices.ContainsFunc(recorders[found.Key], func(name string) bool { return name != credential }) {
			continue
		}
		found.Key, found.Message = foreign.Name(registry.Shown(found.Key)), foreign.Message(found.Message) // the namespace's people wrote them
		return found
	}
	return dockerconfig.Finding{}
}

// leaving says of a namespace that is being deleted that it is. Of one that is gone there is nothing to say.
func (f facts) leaving() map[string]delivered.Delivery {
	deliveries := map[string]delivered.Delivery{}
	for _, credential := range f.selecting {
		deliveries[credential.Name] = delivered.Delivery{
			Observed: credential.Generation, Reason: v1alpha1.ReasonNamespaceTerminating,
			Message: "the namespace is being deleted: nothing is written there",
		}
	}
	return deliveries
}

// A write that lost a race is tried again after lookAgain, and then less and less often.
const (
	lookAgain    = 100 * time.Millisecond
	lookAgainMax = 10 * time.Second
)

// afterConflict says when to look again after one more write that somebody was faster than.
func (m *memory) afterConflict() time.Duration {
	wait := lookAgain << min(m.conflicts, 10)
	m.conflicts++
	return min(wait, lookAgainMax)
}
