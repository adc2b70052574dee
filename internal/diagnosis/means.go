package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/internal/foreign"
)

// static pods come from files on a node. Their mirror in the API can be deleted, and nothing follows from it.
func (d *diagnosis) static() *Verdict {
	if _, mirror := d.Pod.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
		return nil
	}
	return &Verdict{Action: Report, Reason: StaticPod, Message: fmt.Sprintf(
		"%s; the pod comes from a file on node %s, and cannot be fixed through the API",
		d.findings[0].sentence(), d.Pod.Spec.NodeName), Advice: "put the image on the node, or change the file"}
}

// repull pins each image to its own digest, where that is enabled and the pod refers to the Secret. It is the mildest cure:
// nothing is rescheduled, and no controller counts it.
func (d *diagnosis) repull() *Verdict {
	if d.RepullForbidden {
		return nil
	}
	var pins []Pin
	for _, finding := range d.findings {
		switch {
		case !finding.pinnable():
			return nil
		case finding.Digest != "":
			pins = append(pins, Pin{Container: finding.Container, Image: finding.Image, Pinned: finding.Image + "@" + finding.Digest})
		case !d.Onlooker: // the operator can ask for the digest
			return nil
		}
	}
	return &Verdict{Action: Repull, Reason: d.findings[0].Reason, Pins: pins, Message: d.findings[0].sentence()}
}

// pinnable: the images of volumes and of ephemeral containers cannot be changed, and an image has one digest.
func (f Finding) pinnable() bool {
	return f.from.Repull && f.Referenced && f.Volume == "" && !f.Ephemeral && !strings.Contains(f.Image, "@")
}

// repullRefused reports whether a repull fails only because a right is missing.
func (d *diagnosis) repullRefused() bool {
	return d.RepullForbidden && len(d.findings) > 0 && !slices.ContainsFunc(d.findings, func(f Finding) bool {
		return f.Action != Restart || !f.pinnable() || f.Digest == ""
	})
}

// running: a pod in which anything runs is never deleted, whatever its phase says, save sidecars of one that was never Ready.
func (d *diagnosis) running() *Verdict {
	var running []string
	for _, c := range containersOf(d.Pod) {
		if c.status != nil && c.status.State.Running != nil {
			running = append(running, c.name)
		}
	}
	if len(running) == 0 {
		return nil
	}
	if d.unharmed = d.onlySidecars(running); d.unharmed != "" {
		return nil
	}
	return d.leave(ContainerRuns, fmt.Sprintf("container %s runs, so that the pod is not restarted", running[0]),
		fmt.Sprintf("when it may stop, run: kubectl delete pod %s -n %s", d.Pod.Name, d.Pod.Namespace))
}

// owner: only what recreates a deleted pod at no cost may lose one.
func (d *diagnosis) owner() *Verdict {
	if len(d.Owners) == 0 {
		return d.leave(BarePod, "the pod has no owner that would recreate it", fmt.Sprintf(
			"save it with kubectl get pod %[1]s -n %[2]s -o yaml > pod.yaml, remove imagePullSecrets from the file, and run: kubectl replace --force -f pod.yaml",
			d.Pod.Name, d.Pod.Namespace))
	}
	owner := d.Owners[0]
	kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
	switch {
	case kind == schema.GroupKind{Group: "batch", Kind: "Job"}:
		return d.leave(JobPod, fmt.Sprintf("deleting a pod of Job %s would count as its failure", owner.Name),
			"suspend and resume the Job, which counts nothing"+foreign.Command(": kubectl patch job %[1]s -n %[2]s -p '{\"spec\":{\"suspend\":true}}' && "+
				"kubectl patch job %[1]s -n %[2]s -p '{\"spec\":{\"suspend\":false}}'", owner.Name, d.Pod.Namespace))
	case owner.Chosen && owner.Unread:
		return d.leave(OwnerUnknown, fmt.Sprintf("%s %s cannot be read, so that it is not known whether it is still there to recreate the pod", owner.Kind, owner.Name),
			fmt.Sprintf("give the operator's role the right to get %s (podRecovery.ownerKinds of the chart, or config/owners), or run: kubectl delete pod %s -n %s", ownerKind(owner), d.Pod.Name, d.Pod.Namespace))
	case !slices.Contains(recreating, kind) && !owner.Chosen, owner.Unread:
		return d.leave(OwnerUnknown, fmt.Sprintf("it is not known whether %s %s recreates a deleted pod", owner.Kind, owner.Name),
			fmt.Sprintf("if it does, run: kubectl delete pod %s -n %s%s", d.Pod.Name, d.Pod.Namespace, orChoose(owner)))
	case owner.Gone:
		return &Verdict{Action: None, Reason: OwnerGone, Message: fmt.Sprintf("%s %s is gone and would not recreate the pod", owner.Kind, owner.Name)}
	}
	return nil
}

// orChoose says how regcred comes to restart the pods of a kind, where that can be.
func orChoose(owner Owner) string {
	kind := ownerKind(owner)
	if kind == "" {
		return ""
	}
	return fmt.Sprintf("; to have regcred do it, add %s to podRecovery.ownerKinds of the chart, or to --recovery-owner-kinds (config/README.md)", kind)
}

// recreating kinds recreate a deleted pod at once and at no cost.
var recreating = []schema.GroupKind{
	{Group: "apps", Kind: "ReplicaSet"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"}, {Group: "", Kind: "ReplicationController"},
}

func (d *diagnosis) restart() *Verdict {
	message := d.findings[0].sentence()
	if d.unharmed != "" {
		message += "; " + d.unharmed
	}
	return &Verdict{Action: Restart, Reason: d.findings[0].Reason, Message: message}
}

// leave is the verdict for a pod that must not be deleted: the kubelet heals it on its own where it has the reference, and only a
// person can where it has not.
func (d *diagnosis) leave(reason Reason, why, advice string) *Verdict {
	for _, finding := range d.findings {
		if !finding.Referenced {
			return &Verdict{Action: Report, Reason: reason, Message: fmt.Sprintf("%s; %s", finding.sentence(), why), Advice: advice}
		}
	}
	finding := d.findings[0]
	wait := d.change().Add(kubeletRetry).Sub(d.Now)
	if wait <= 0 {
		entry, _ := finding.from.entryFor(finding.Image)
		return &Verdict{Action: Report, Reason: CredentialDidNotHelp, RecheckAfter: later, Message: fmt.Sprintf(
			"container %s: the kubelet has tried again since Secret %s changed, and still cannot pull %s",
			finding.Container, finding.Secret, finding.Image), Advice: finding.opens(d.Facts, entry)}
	}
	return &Verdict{Action: Wait, Reason: KubeletRetries, RecheckAfter: wait, Message: fmt.Sprintf(
		"%s; %s, and the kubelet pulls again by %s at the latest", finding.sentence(), why, clock(d.Now.Add(wait)))}
}

func (f Finding) sentence() string { return fmt.Sprintf("container %s: %s", f.Container, f.Explain) }

// Pulling counts the containers that would pull an image in a new pod: what a restart costs a node.
func Pulling(pod *corev1.Pod) int {
	return len(pod.Spec.InitContainers) + len(pod.Spec.Containers)
}
