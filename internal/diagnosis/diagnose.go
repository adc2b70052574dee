package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullerror"
)

// Diagnose looks at one pod. The checks are asked in their order; the first that has an answer decides.
func Diagnose(f Facts) Verdict {
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
	// causeless says that the status of a container holds no cause.
	causeless bool
}

var checks = []func(*diagnosis) *Verdict{
	(*diagnosis).gone,
	(*diagnosis).notStuck,
	(*diagnosis).optedOut,
	(*diagnosis).off,
	(*diagnosis).protected,
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
	return &Verdict{Action: None, Reason: OptedOut, Message: fmt.Sprintf("%s carries %s: %s", who, v1alpha1.PodRecoveryAnnotation, v1alpha1.PodRecoveryDisabled)}
}

func (d *diagnosis) off() *Verdict {
	for _, finding := range d.findings {
		if finding.mode != nil && finding.mode.Suspended {
			return &Verdict{Action: None, Reason: RecoveryOff, Message: fmt.Sprintf("RegistryCredential %s is suspended", finding.Credential)}
		}
		if finding.mode != nil && finding.mode.Mode == v1alpha1.RecoveryOff {
			return &Verdict{Action: None, Reason: RecoveryOff, Message: fmt.Sprintf("RegistryCredential %s has podRecovery.mode: Off", finding.Credential)}
		}
	}
	return nil
}

func (d *diagnosis) protected() *Verdict {
	if !d.Protected {
		return nil
	}
	return &Verdict{Action: None, Reason: ProtectedNS, Message: fmt.Sprintf(
		"namespace %s is protected, and no RegistryCredential names it in spec.target.namespaces", d.Pod.Namespace)}
}

// incurable: one pull that no credential cures is enough to leave the pod alone.
func (d *diagnosis) incurable() *Verdict { return d.first(Report) }

func (d *diagnosis) notYet() *Verdict { return d.first(Wait) }

func (d *diagnosis) first(action Action) *Verdict {
	for _, finding := range d.findings {
		if finding.Action == action {
			return &Verdict{Action: action, Reason: finding.Reason, Message: fmt.Sprintf("container %s: %s", finding.Container, finding.Explain)}
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
	if v.Action != Restart && v.Action != Repull {
		return v
	}
	v.Change = d.change()
	for _, finding := range d.findings {
		if finding.mode != nil && finding.mode.Mode == v1alpha1.RecoveryReport {
			v.Message = fmt.Sprintf("%s; it would be cured by %s, but RegistryCredential %s has podRecovery.mode: Report", v.Message, v.Action, finding.Credential)
			v.Action, v.Reason, v.Pins = Report, ReportOnly, nil
			return v
		}
	}
	return v
}

func (d *diagnosis) restart() *Verdict {
	finding := d.findings[0]
	return &Verdict{Action: Restart, Reason: finding.Reason, Message: fmt.Sprintf("container %s: %s", finding.Container, finding.Explain)}
}

// leave is the verdict for a pod that must not be deleted: the kubelet heals it by itself where it has the reference, and only a
// person can where it has not.
func (d *diagnosis) leave(reason Reason, why, otherwise string) *Verdict {
	for _, finding := range d.findings {
		if !finding.Referenced {
			return &Verdict{Action: Report, Reason: reason, Message: fmt.Sprintf("container %s: %s; %s: %s", finding.Container, finding.Explain, why, otherwise)}
		}
	}
	finding := d.findings[0]
	wait := d.change().Add(kubeletRetry).Sub(d.Now)
	if wait <= 0 {
		return &Verdict{Action: Report, Reason: CredentialDidNotHelp, RecheckAfter: later, Message: fmt.Sprintf(
			"container %s: the kubelet has tried again since Secret %s changed, and the registry still does not open %s: give that account the right to pull it, or correct the image",
			finding.Container, finding.Secret, finding.Image)}
	}
	return &Verdict{Action: Wait, Reason: KubeletRetries, RecheckAfter: wait, Message: fmt.Sprintf(
		"container %s: %s; %s, and the kubelet pulls again by %s at the latest", finding.Container, finding.Explain, why, clock(d.Now.Add(wait)))}
}

// change is when the last of the credentials or references changed that the pod needs.
func (d *diagnosis) change() time.Time {
	return slices.MaxFunc(d.findings, func(a, b Finding) int { return a.Change.Compare(b.Change) }).Change
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
		if rest, ok := strings.CutPrefix(message, fmt.Sprintf("Failed to pull image %q: ", pull.Image)); ok {
			pull.Message, pull.Class = message, pullerror.Classify(rest)
			return pull
		}
	}
	return pull
}

// kinds that recreate a deleted pod at once and at no cost.
var recreating = map[string]string{
	"ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "ReplicationController": "",
}

func recreates(owner Owner) bool {
	group, _, found := strings.Cut(owner.APIVersion, "/")
	if !found {
		group = ""
	}
	want, ok := recreating[owner.Kind]
	return ok && cmp.Compare(group, want) == 0
}
