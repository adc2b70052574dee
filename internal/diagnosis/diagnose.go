package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullerror"
)

// Diagnose looks at one pod. The checks are asked in their order; the first that has an answer decides.
func Diagnose(f Facts) Verdict {
	f.Pod = View(f.Pod)
	f.Credentials = slices.Clone(f.Credentials)
	slices.SortFunc(f.Credentials, func(a, b Credential) int { return strings.Compare(a.Name, b.Name) })
	d := &diagnosis{Facts: &f}
	for _, pull := range Pulls(f.Pod) {
		d.findings = append(d.findings, examine(&f, d.withCause(pull)))
	}
	for _, check := range checks {
		if verdict := check(d); verdict != nil {
			return d.finish(*verdict)
		}
	}
	return d.finish(*d.restart())
}

// diagnosis is one pod on its way through the checks.
type diagnosis struct {
	*Facts
	findings []Finding
	// unharmed says why a pod in which containers run loses nothing by a restart. Empty where none runs.
	unharmed string
	// causeless says that the status of a container holds no cause.
	causeless bool
}

// checks: first whether the pod is anybody's business, then what stands in the way of a cure, then which cure.
var checks = []func(*diagnosis) *Verdict{
	(*diagnosis).gone,
	(*diagnosis).notStuck,
	(*diagnosis).optedOut,
	(*diagnosis).off,
	(*diagnosis).protected,
	(*diagnosis).tooLarge,
	(*diagnosis).needsEvents,
	(*diagnosis).incurable,
	(*diagnosis).notYet,
	(*diagnosis).static,
	(*diagnosis).repull,
	(*diagnosis).running,
	(*diagnosis).owner,
}

func (d *diagnosis) gone() *Verdict {
	switch {
	case d.Pod.DeletionTimestamp != nil:
		return &Verdict{Action: None, Reason: PodGone, Message: "the pod is being deleted"}
	case d.Pod.Status.Phase == corev1.PodSucceeded, d.Pod.Status.Phase == corev1.PodFailed:
		return &Verdict{Action: None, Reason: PodGone, Message: "the pod has ended"}
	}
	return nil
}

func (d *diagnosis) notStuck() *Verdict {
	if len(d.findings) > 0 {
		return nil
	}
	return &Verdict{Action: None, Reason: NotStuck, Message: "no container waits for an image"}
}

func (d *diagnosis) optedOut() *Verdict {
	if optsOut(d.Pod.Annotations) {
		return optedOutBy("the pod")
	}
	for _, owner := range d.Owners {
		if optsOut(owner.Annotations) {
			return optedOutBy(owner.Kind + " " + owner.Name)
		}
	}
	if optsOut(d.NamespaceAnnotations) {
		return optedOutBy("namespace " + d.Pod.Namespace)
	}
	return nil
}

func optsOut(annotations map[string]string) bool {
	return annotations[v1alpha1.PodRecoveryAnnotation] == v1alpha1.PodRecoveryDisabled
}

func optedOutBy(who string) *Verdict {
	return &Verdict{Action: None, Reason: OptedOut, Message: fmt.Sprintf("%s carries the annotation %s: %s",
		who, v1alpha1.PodRecoveryAnnotation, v1alpha1.PodRecoveryDisabled)}
}

func (d *diagnosis) off() *Verdict {
	for _, finding := range d.findings {
		switch {
		case finding.from == nil: // nobody provides the registry
		case finding.from.Suspended:
			return &Verdict{Action: None, Reason: RecoveryOff, Message: fmt.Sprintf("RegistryCredential %s is suspended", finding.Credential)}
		case finding.from.Mode == v1alpha1.RecoveryDisabled:
			return &Verdict{Action: None, Reason: RecoveryOff, Message: fmt.Sprintf("RegistryCredential %s has podRecovery.mode: Disabled", finding.Credential)}
		}
	}
	return nil
}

func (d *diagnosis) protected() *Verdict {
	if !d.Protected {
		return nil
	}
	return &Verdict{Action: None, Reason: ProtectedNamespace, Message: fmt.Sprintf(
		"namespace %s is protected, and no RegistryCredential names it in spec.target.namespaces", d.Pod.Namespace)}
}

func (d *diagnosis) needsEvents() *Verdict {
	if !d.causeless || d.EventsRead {
		return nil
	}
	return &Verdict{Action: Wait, Reason: ReadingEvents, NeedsEvents: true, RecheckAfter: soon,
		Message: "the kubelet gives no cause in the pod's status: its events are looked at"}
}

// withCause takes the cause from the pod's events where the status holds none, as with kubelets before 1.32.
func (d *diagnosis) withCause(pull Pull) Pull {
	if pull.Waiting != "ImagePullBackOff" || strings.Contains(pull.Message, ": ") {
		return pull
	}
	d.causeless = true
	for _, message := range d.PullEvents {
		if failed := cut(pullerror.FailedPull(message, pull.Image), maxWaiting); failed != "" {
			pull.Message, pull.Class = failed, pullerror.Classify(failed)
			return pull
		}
	}
	return pull
}

// incurable: one pull that no credential cures is enough to leave the pod alone.
func (d *diagnosis) incurable() *Verdict { return d.first(Report) }

// notYet: something continues automatically that must be over first.
func (d *diagnosis) notYet() *Verdict { return d.first(Wait) }

func (d *diagnosis) first(action Action) *Verdict {
	for _, finding := range d.findings {
		if finding.Action == action {
			return &Verdict{Action: action, Reason: finding.Reason, Message: finding.sentence(), Advice: finding.Advice}
		}
	}
	return nil
}

// finish adds what does not depend on the check that decided.
func (d *diagnosis) finish(v Verdict) Verdict {
	v.Findings = d.findings
	for _, finding := range d.findings {
		v.Questions = append(v.Questions, finding.questions...)
		if finding.recheck > 0 && (v.RecheckAfter == 0 || finding.recheck < v.RecheckAfter) {
			v.RecheckAfter = finding.recheck
		}
	}
	if v.RepullRefused = d.repullRefused(); v.RepullRefused {
		v.Message += "; podRecovery.repull is not available, because the operator's role does not allow it to patch pods"
	}
	v.Message, v.Advice = foreign.Message(v.Message), foreign.Message(v.Advice)
	if v.Action != Restart && v.Action != Repull {
		return v
	}
	v.Change = d.change()
	return d.dry(v)
}

// dry turns what would be done into a report where a RegistryCredential asks for no more than that.
func (d *diagnosis) dry(v Verdict) Verdict {
	for _, finding := range d.findings {
		if finding.from.Mode == v1alpha1.RecoveryReport {
			v.Message = fmt.Sprintf("%s; a %s would cure it, and is not done because RegistryCredential %s has podRecovery.mode: Report",
				v.Message, strings.ToLower(string(v.Action)), finding.Credential)
			v.Action, v.Reason, v.Pins = Report, ReportOnly, nil
			return v
		}
	}
	return v
}

// change is when the last of the credentials or references changed that the pod needs.
func (d *diagnosis) change() time.Time {
	return slices.MaxFunc(d.findings, func(a, b Finding) int { return a.Change.Compare(b.Change) }).Change
}
