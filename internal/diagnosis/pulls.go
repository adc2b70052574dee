package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/internal/registry"
)

// Waiting reasons with which a kubelet says that it cannot get an image (pkg/kubelet/images/types.go and the CRI's
// pkg/errors). Where a pull Secret cannot be read, the reason is the error itself, a sentence.
var pullReasons = []string{
	"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable",
	"SignatureValidationFailed",
}

// Pull is an image that a kubelet cannot get for one container.
type Pull struct {
	Container string
	// Image as it is in the pod.
	Image string
	// Volume is the image volume that fails, empty for the container's own image.
	Volume string
	// Ephemeral containers cannot be changed any more.
	Ephemeral bool
	// Waiting is the kubelet's waiting reason, Message its message.
	Waiting string
	Message string
	Class   pullerror.Class
}

// Pulls are the pod's failing pulls: init containers, containers and ephemeral containers, each with its own image or an
// image volume that it mounts.
func Pulls(pod *corev1.Pod) []Pull {
	var pulls []Pull
	for _, container := range containersOf(pod) {
		if container.status == nil || container.status.State.Waiting == nil {
			continue
		}
		waiting := container.status.State.Waiting
		if !isPullFailure(waiting.Reason) {
			continue
		}
		pull := Pull{
			Container: container.name, Ephemeral: container.ephemeral,
			Waiting: waiting.Reason, Message: waiting.Message, Class: classOf(waiting),
		}
		pull.Volume, pull.Image = failingVolume(pod, container, waiting.Message)
		pulls = append(pulls, pull)
	}
	return pulls
}

// IsStuck reports whether a pod waits for an image. It is the cheap question, asked for every change of every pod.
func IsStuck(pod *corev1.Pod) bool {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		if slices.ContainsFunc(statuses, func(s corev1.ContainerStatus) bool {
			return s.State.Waiting != nil && isPullFailure(s.State.Waiting.Reason)
		}) {
			return true
		}
	}
	return false
}

func isPullFailure(reason string) bool {
	return slices.Contains(pullReasons, reason) || isRawError(reason)
}

// isRawError recognises an error that stands where a reason belongs. The kubelet's own reasons are one word each. Errors of
// container creation stand there, too: only those that speak of a pull Secret count.
func isRawError(reason string) bool {
	return strings.Contains(reason, " ") && pullerror.Classify(reason) == pullerror.MalformedSecret
}

func classOf(waiting *corev1.ContainerStateWaiting) pullerror.Class {
	if isRawError(waiting.Reason) {
		return pullerror.MalformedSecret
	}
	return pullerror.Classify(waiting.Message)
}

// container is one of a pod's containers with its status.
type container struct {
	name, image string
	mounts      []corev1.VolumeMount
	ephemeral   bool
	status      *corev1.ContainerStatus
}

func containersOf(pod *corev1.Pod) []container {
	var all []container
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		all = append(all, container{name: c.Name, image: c.Image, mounts: c.VolumeMounts, status: statusOf(pod.Status.InitContainerStatuses, c.Name)})
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		all = append(all, container{name: c.Name, image: c.Image, mounts: c.VolumeMounts, status: statusOf(pod.Status.ContainerStatuses, c.Name)})
	}
	for i := range pod.Spec.EphemeralContainers {
		c := &pod.Spec.EphemeralContainers[i]
		all = append(all, container{name: c.Name, image: c.Image, mounts: c.VolumeMounts, ephemeral: true, status: statusOf(pod.Status.EphemeralContainerStatuses, c.Name)})
	}
	return all
}

// outdated reports whether the status speaks of an earlier image: one that was pinned to a digest since.
func (p Pull) outdated() bool {
	_, digest, _ := strings.Cut(p.Image, "@") // each message holds an empty one
	return (p.Waiting == "ErrImagePull" || p.Waiting == "ImagePullBackOff") && !strings.Contains(p.Message, digest)
}

func statusOf(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

// failingVolume finds the image volume that a message speaks of. The kubelet reports it at each container that mounts it.
func failingVolume(pod *corev1.Pod, c container, message string) (volume, image string) {
	if strings.Contains(message, `"`+c.image+`"`) || namedByCRIO(message, c.image) {
		return "", c.image
	}
	for _, mount := range c.mounts {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			if v.Name == mount.Name && v.Image != nil && (strings.Contains(message, v.Image.Reference) || namedByCRIO(message, v.Image.Reference)) {
				return v.Name, v.Image.Reference
			}
		}
	}
	return "", c.image
}

// namedByCRIO reports whether a message names an image as CRI-O does, whose message stands alone while the kubelet says ErrImagePull: by its
// whole name, or by the tag and the repository that it asked for (containers/image, docker/docker_image_src.go).
func namedByCRIO(message, image string) bool {
	parsed, err := registry.ParseImage(image)
	return err == nil && (strings.Contains(message, "docker://"+image+": ") ||
		strings.Contains(message, fmt.Sprintf("reading manifest %s in %s: ", cmp.Or(parsed.Digest, parsed.Tag), parsed.Name())))
}
