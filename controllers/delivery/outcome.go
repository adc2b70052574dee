package delivery

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
)

// outcome is what became of one place.
type outcome struct {
	// secret of ours as it is now, nil where there is none.
	secret  *corev1.Secret
	taken   []pullsecret.Taken
	problem *problem
}

func (o outcome) with(p *problem) outcome {
	o.problem = p
	return o
}

func (o outcome) conflict() bool { return o.problem != nil && o.problem.conflict }

// after is when to come back without being called, never where it is zero.
func (o outcome) after() time.Duration {
	if o.problem == nil || o.problem.retry {
		return 0
	}
	return o.problem.after
}

// retry is the error that has the queue's back-off try again.
func (o outcome) retry() error {
	if o.problem == nil || !o.problem.retry {
		return nil
	}
	return fmt.Errorf("%s: %s", o.problem.reason, o.problem.message)
}

// deliveries says, for each RegistryCredential that selects the place or whose entries stay there, what became of it. before says
// when the place was last right.
func (o outcome) deliveries(f facts, before *delivered.Board) map[string]delivered.Delivery {
	if o.problem != nil && o.problem.gone {
		return nil
	}
	written := pullsecret.Sources{}
	if o.secret != nil {
		written = pullsecret.SourcesOf(o.secret.Annotations)
	}
	findings := o.findings()
	deliveries := map[string]delivered.Delivery{}
	for _, credential := range f.staying {
		deliveries[credential.Name] = delivered.Delivery{Version: versionIn(written, credential.Name), Observed: credential.Generation}
	}
	for _, credential := range f.selecting {
		d := delivered.Delivery{Selected: true, Version: versionIn(written, credential.Name), Observed: credential.Generation, Generation: credential.Generation}
		d.Finding = findingOf(credential.Name, findings, written, f.exists)
		if o.problem != nil {
			known, _ := before.At(f.place, credential.Name)
			d.Reason, d.Message, d.ServiceAccounts, d.Generation = o.problem.reason, o.problem.message, o.problem.account, known.Generation
		}
		for _, taken := range o.taken {
			if taken.Credential == credential.Name {
				d.TakenBy = taken.Winner
			}
		}
		deliveries[credential.Name] = d
	}
	return deliveries
}

func versionIn(written pullsecret.Sources, credential string) delivered.Version {
	return delivered.Version{Revision: written[credential].Revision, Digest: written[credential].Digest}
}

// findings are the entries of the Secret that no kubelet can use.
func (o outcome) findings() []dockerconfig.Finding {
	if o.secret == nil {
		return nil
	}
	return slices.DeleteFunc(dockerconfig.Lint(o.secret.Data[corev1.DockerConfigJsonKey]), func(found dockerconfig.Finding) bool { return found.Key == "" })
}

// findingOf is the first finding that concerns a RegistryCredential: in an entry of its own, or in one that is kept for nobody.
func findingOf(credential string, findings []dockerconfig.Finding, written pullsecret.Sources, exists func(string) bool) dockerconfig.Finding {
	for _, found := range findings {
		others := false
		for name, source := range written {
			others = others || name != credential && exists(name) && slices.Contains(source.Keys, found.Key)
		}
		if !others {
			return found
		}
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
