package recovery

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// NewPodCache returns a cache of the pods in phase Pending, with no more of each than a diagnosis needs. SetupWithManager adds it
// to the manager.
//
// It has a default field selector and not one by kind, because only then is it filled on a standby, too. A pod that starts to
// run leaves it as if it were deleted.
func NewPodCache(config *rest.Config, scheme *runtime.Scheme) (cache.Cache, error) {
	return cache.New(config, cache.Options{
		Scheme:                      scheme,
		DefaultFieldSelector:        fields.OneTermEqualSelector("status.phase", string(corev1.PodPending)),
		DefaultTransform:            stripPod,
		ReaderFailOnMissingInformer: true,
	})
}

// CacheOptions are for the manager's cache: of the owners of pods it keeps the metadata, and of that what a diagnosis needs.
func CacheOptions() map[client.Object]cache.ByObject {
	options := map[client.Object]cache.ByObject{}
	for _, kind := range ownerKinds {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(kind)
		options[object] = cache.ByObject{Transform: stripOwner}
	}
	return options
}

func stripOwner(in any) (any, error) {
	if object, ok := in.(*metav1.PartialObjectMetadata); ok {
		object.ManagedFields, object.Labels = nil, nil
		object.Annotations = ours(object.Annotations)
	}
	return in, nil
}

func stripPod(in any) (any, error) {
	pod, ok := in.(*corev1.Pod)
	if !ok {
		return in, nil
	}
	stripped := &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
			OwnerReferences: pod.OwnerReferences, Annotations: ours(pod.Annotations),
		},
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, ServiceAccountName: pod.Spec.ServiceAccountName, ImagePullSecrets: pod.Spec.ImagePullSecrets,
		},
		Status: corev1.PodStatus{
			Phase:                      pod.Status.Phase,
			InitContainerStatuses:      statesOf(pod.Status.InitContainerStatuses),
			ContainerStatuses:          statesOf(pod.Status.ContainerStatuses),
			EphemeralContainerStatuses: statesOf(pod.Status.EphemeralContainerStatuses),
		},
	}
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.Image != nil {
			stripped.Spec.Volumes = append(stripped.Spec.Volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{Image: v.Image}})
		}
	}
	hasImages := len(stripped.Spec.Volumes) > 0
	stripped.Spec.InitContainers = imagesOf(pod.Spec.InitContainers, hasImages)
	stripped.Spec.Containers = imagesOf(pod.Spec.Containers, hasImages)
	for i := range pod.Spec.EphemeralContainers {
		c := corev1.EphemeralContainerCommon{Name: pod.Spec.EphemeralContainers[i].Name, Image: pod.Spec.EphemeralContainers[i].Image}
		if hasImages {
			c.VolumeMounts = pod.Spec.EphemeralContainers[i].VolumeMounts
		}
		stripped.Spec.EphemeralContainers = append(stripped.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: c})
	}
	return stripped, nil
}

func imagesOf(containers []corev1.Container, withMounts bool) []corev1.Container {
	var kept []corev1.Container
	for i := range containers {
		c := corev1.Container{Name: containers[i].Name, Image: containers[i].Image}
		if withMounts {
			c.VolumeMounts = containers[i].VolumeMounts
		}
		kept = append(kept, c)
	}
	return kept
}

func statesOf(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for i := range statuses {
		kept = append(kept, corev1.ContainerStatus{Name: statuses[i].Name, State: statuses[i].State})
	}
	return kept
}

// ours are the annotations that a diagnosis looks at.
func ours(annotations map[string]string) map[string]string {
	var kept map[string]string
	for _, key := range []string{v1alpha1.PodRecoveryAnnotation, corev1.MirrorPodAnnotationKey} {
		if value, ok := annotations[key]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}
