package diagnosis

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// How much of an object that a namespace's people write is looked at. An object of the API can have 1.5 MB: without a bound one pod
// and one Secret keep a processor busy for minutes.
const (
	// maxContainers of a pod, of each sort. Beyond it a pod is TooLarge.
	maxContainers = 64
	// maxImage is the longest image reference in bytes. What is longer is none.
	maxImage = 512
	// maxPullSecrets of a pod, each counted once. Beyond it a pod is TooLarge.
	maxPullSecrets = 16
	// maxVolumes are the image volumes of a pod, and the mounts of them in a container. Beyond it a pod is TooLarge.
	maxVolumes = 16
	// maxWaiting is how much of a kubelet's message is read, in bytes, and maxWord of a reason, a name or an annotation.
	maxWaiting, maxWord = 4 << 10, 512
	// maxSecretData and maxSources are the most bytes of a Secret and of its annotation that are read, maxEntries its entries.
	maxSecretData, maxSources, maxEntries = 256 << 10, 64 << 10, 500
	// maxAccountSecrets are the pull secrets of a ServiceAccount that are looked at.
	maxAccountSecrets = 256
)

// View is a pod with no more than a diagnosis needs, and never more than its bounds: one thing more than allowed is kept, so that
// the excess is seen. It shares nothing large with the pod. A View of a View is the same.
func View(pod *corev1.Pod) *corev1.Pod {
	view := &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp, Annotations: Annotations(pod.Annotations),
		},
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, ServiceAccountName: pod.Spec.ServiceAccountName, ImagePullSecrets: pullSecrets(pod.Spec.ImagePullSecrets),
		},
		Status: corev1.PodStatus{
			Phase:                      pod.Status.Phase,
			InitContainerStatuses:      statuses(pod.Status.InitContainerStatuses),
			ContainerStatuses:          statuses(pod.Status.ContainerStatuses),
			EphemeralContainerStatuses: statuses(pod.Status.EphemeralContainerStatuses),
		},
	}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		view.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	volumes := map[string]bool{}
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.Image != nil && len(view.Spec.Volumes) <= maxVolumes {
			volumes[v.Name] = true
			view.Spec.Volumes = append(view.Spec.Volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: cut(v.Image.Reference, maxImage+1)}}})
		}
	}
	view.Spec.InitContainers = containers(pod.Spec.InitContainers, volumes)
	view.Spec.Containers = containers(pod.Spec.Containers, volumes)
	for _, c := range atMost(pod.Spec.EphemeralContainers, maxContainers+1) {
		view.Spec.EphemeralContainers = append(view.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: cut(c.Name, maxWord), Image: cut(c.Image, maxImage+1), VolumeMounts: mounts(c.VolumeMounts, volumes)}})
	}
	return view
}

// Annotations are those that a diagnosis looks at.
func Annotations(annotations map[string]string) map[string]string {
	var kept map[string]string
	for _, key := range []string{v1alpha1.PodRecoveryAnnotation, corev1.MirrorPodAnnotationKey} {
		if value, ok := annotations[key]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = cut(value, maxWord)
		}
	}
	return kept
}

func containers(all []corev1.Container, volumes map[string]bool) []corev1.Container {
	var kept []corev1.Container
	for _, c := range atMost(all, maxContainers+1) {
		kept = append(kept, corev1.Container{Name: cut(c.Name, maxWord), Image: cut(c.Image, maxImage+1), VolumeMounts: mounts(c.VolumeMounts, volumes)})
	}
	return kept
}

// mounts are those of image volumes, whose images a kubelet pulls for the container.
func mounts(all []corev1.VolumeMount, volumes map[string]bool) []corev1.VolumeMount {
	var kept []corev1.VolumeMount
	for i := range all {
		if volumes[all[i].Name] && len(kept) <= maxVolumes {
			kept = append(kept, corev1.VolumeMount{Name: all[i].Name})
		}
	}
	return kept
}

func statuses(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for _, status := range atMost(all, maxContainers+1) {
		one := corev1.ContainerStatus{Name: cut(status.Name, maxWord)}
		if status.State.Running != nil {
			one.State.Running = &corev1.ContainerStateRunning{}
		}
		if waiting := status.State.Waiting; waiting != nil {
			one.State.Waiting = &corev1.ContainerStateWaiting{Reason: cut(waiting.Reason, maxWord), Message: cut(waiting.Message, maxWaiting)}
		}
		kept = append(kept, one)
	}
	return kept
}

func pullSecrets(all []corev1.LocalObjectReference) []corev1.LocalObjectReference {
	var kept []corev1.LocalObjectReference
	for _, ref := range all {
		if !slices.Contains(kept, ref) && len(kept) <= maxPullSecrets {
			kept = append(kept, corev1.LocalObjectReference{Name: cut(ref.Name, maxWord)})
		}
	}
	return kept
}

// tooLarge says which bound the pod, or a Secret that it refers to, exceeds: nothing is concluded from a part.
func (d *diagnosis) tooLarge() *Verdict {
	what := ""
	switch spec := &d.Pod.Spec; {
	case max(len(spec.Containers), len(spec.InitContainers), len(spec.EphemeralContainers)) > maxContainers:
		what = fmt.Sprintf("the pod has more than %d containers of a sort", maxContainers)
	case len(spec.ImagePullSecrets) > maxPullSecrets:
		what = fmt.Sprintf("the pod refers to more than %d pull secrets", maxPullSecrets)
	case len(spec.Volumes) > maxVolumes:
		what = fmt.Sprintf("the pod has more than %d image volumes", maxVolumes)
	}
	for _, ref := range d.Pod.Spec.ImagePullSecrets {
		if what == "" && d.Secrets[ref.Name].TooLarge {
			what = fmt.Sprintf("Secret %s has more than %d entries or %d KiB, or its namespace more Secrets than are kept", ref.Name, maxEntries, maxSecretData>>10)
		}
	}
	if what == "" {
		return nil
	}
	return &Verdict{Action: Report, Reason: TooLarge, Message: what + ": it is too large to look at, and is left alone", Advice: "use fewer of them"}
}

func atMost[T any](all []T, limit int) []T { return all[:min(len(all), limit)] }

// cut copies what is cut, so that the rest can be freed.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return string([]byte(text[:limit]))
}
