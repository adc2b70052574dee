package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// static pods come from files on a node. Their mirror in the API can be deleted, and nothing follows from it.
func (d *diagnosis) static() *Verdict {
	if _, mirror := d.Pod.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
		return nil
	}
	return &Verdict{Action: Report, Reason: StaticPod, Message: fmt.Sprintf(
		"the pod comes from a file on node %s and cannot be mended through the API: put the image on the node, or change the file", d.Pod.Spec.NodeName)}
}

// repull pins each image to its own digest, where that is enabled and the pod refers to the Secret.
func (d *diagnosis) repull() *Verdict {
	var pins []Pin
	for _, finding := range d.findings {
		if !finding.mode.Repull || d.RepullForbidden || !finding.Referenced || finding.Digest == "" ||
			finding.Volume != "" || finding.Ephemeral || strings.Contains(finding.Image, "@") {
			return nil
		}
		pins = append(pins, Pin{Container: finding.Container, Image: finding.Image, Pinned: finding.Image + "@" + finding.Digest})
	}
	finding := d.findings[0]
	return &Verdict{Action: Repull, Reason: finding.Reason, Pins: pins, Message: fmt.Sprintf("container %s: %s", finding.Container, finding.Explain)}
}

// running: a pod in which anything runs is never deleted, whatever its phase says.
func (d *diagnosis) running() *Verdict {
	for _, c := range containersOf(d.Pod) {
		if c.status != nil && c.status.State.Running != nil {
			return d.leave(ContainerRuns, fmt.Sprintf("container %s runs, so that the pod is not restarted", c.name),
				fmt.Sprintf("when it may stop, run: kubectl delete pod %s -n %s", d.Pod.Name, d.Pod.Namespace))
		}
	}
	return nil
}

// owner: only what recreates a deleted pod at no cost may lose one.
func (d *diagnosis) owner() *Verdict {
	pod := fmt.Sprintf("%s -n %s", d.Pod.Name, d.Pod.Namespace)
	if len(d.Owners) == 0 {
		return d.leave(BarePod, "the pod has no owner that would make it anew", fmt.Sprintf(
			"delete it and create it again: kubectl get pod %s -o yaml > pod.yaml && kubectl replace --force -f pod.yaml, without imagePullSecrets in the file", pod))
	}
	owner := d.Owners[0]
	switch {
	case owner.Kind == "Job" && strings.HasPrefix(owner.APIVersion, "batch/"):
		return d.leave(JobPod, fmt.Sprintf("deleting a pod of Job %s would count as its failure", owner.Name), fmt.Sprintf(
			"suspend and resume the Job, which counts nothing: kubectl patch job %[1]s -n %[2]s -p '{\"spec\":{\"suspend\":true}}' && kubectl patch job %[1]s -n %[2]s -p '{\"spec\":{\"suspend\":false}}'",
			owner.Name, d.Pod.Namespace))
	case !recreates(owner), owner.Unread:
		return d.leave(OwnerUnknown, fmt.Sprintf("regcred does not know whether %s %s makes a deleted pod anew", owner.Kind, owner.Name),
			"if it does, run: kubectl delete pod "+pod)
	case owner.Gone:
		return &Verdict{Action: None, Reason: OwnerGone, Message: fmt.Sprintf("%s %s is gone and would not make the pod anew", owner.Kind, owner.Name)}
	}
	return nil
}

// Pulling counts the containers that would pull an image in a new pod: what a restart costs a node.
func Pulling(pod *corev1.Pod) int {
	return len(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers))
}
