package recovery

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podfacts"
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
		NewInformer:                 newPagedInformer,
	})
}

// CacheOptions are for the manager's cache: of the owners of pods it keeps the metadata, and of that what a diagnosis needs.
func CacheOptions() map[client.Object]cache.ByObject {
	options := map[client.Object]cache.ByObject{}
	for _, kind := range podfacts.OwnerKinds {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(kind)
		options[object] = cache.ByObject{Transform: stripOwner}
	}
	return options
}

func stripOwner(in any) (any, error) {
	if object, ok := in.(*metav1.PartialObjectMetadata); ok {
		object.ManagedFields, object.Labels = nil, nil
		object.Annotations = diagnosis.Annotations(object.Annotations)
	}
	return in, nil
}

func stripPod(in any) (any, error) {
	pod, ok := in.(*corev1.Pod)
	if !ok {
		return in, nil
	}
	return diagnosis.View(pod), nil
}
