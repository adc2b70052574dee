package credential

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// namespacesSampled and podsSampled bound how far the search for images in use goes.
	namespacesSampled = 10
	podsSampled       = 100
)

// PodImages finds images in the pods of some namespaces. It reads past the cache: no pod is kept for it.
type PodImages struct{ Reader client.Reader }

// InUse returns up to limit different images that match, from a bounded look at the first namespaces.
func (p PodImages) InUse(ctx context.Context, namespaces []string, matches func(string) bool, limit int) ([]string, error) {
	var images []string
	for _, namespace := range namespaces[:min(len(namespaces), namespacesSampled)] {
		var pods corev1.PodList
		if err := p.Reader.List(ctx, &pods, client.InNamespace(namespace), client.Limit(podsSampled)); err != nil {
			return nil, fmt.Errorf("look for images in use in namespace %s: %w", namespace, err)
		}
		for i := range pods.Items {
			for _, image := range imagesOf(&pods.Items[i]) {
				if matches(image) && !slices.Contains(images, image) {
					images = append(images, image)
				}
				if len(images) == limit {
					return images, nil
				}
			}
		}
	}
	return images, nil
}

func imagesOf(pod *corev1.Pod) []string {
	var images []string
	for _, c := range pod.Spec.InitContainers {
		images = append(images, c.Image)
	}
	for _, c := range pod.Spec.Containers {
		images = append(images, c.Image)
	}
	return images
}
