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
	// podsPage is how many pods one request counts.
	podsPage = 500
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

// Running returns the running pods that name a pull Secret and have an image that matches, as namespace/name, page by page.
func (p PodImages) Running(ctx context.Context, namespaces []string, secret string, matches func(string) bool) ([]string, error) {
	var names []string
	refers := func(ref corev1.LocalObjectReference) bool { return ref.Name == secret }
	for _, namespace := range namespaces {
		next := ""
		for first := true; first || next != ""; first = false {
			var pods corev1.PodList
			if err := p.Reader.List(ctx, &pods, client.InNamespace(namespace), client.Limit(podsPage), client.Continue(next),
				client.MatchingFields{"status.phase": string(corev1.PodRunning)}); err != nil {
				return nil, fmt.Errorf("count running pods in namespace %s: %w", namespace, err)
			}
			for i := range pods.Items {
				pod := &pods.Items[i]
				if slices.ContainsFunc(pod.Spec.ImagePullSecrets, refers) && slices.ContainsFunc(imagesOf(pod), matches) {
					names = append(names, namespace+"/"+pod.Name)
				}
			}
			next = pods.Continue
		}
	}
	return names, nil
}

func imagesOf(pod *corev1.Pod) []string {
	var images []string
	for _, c := range pod.Spec.InitContainers {
		images = append(images, c.Image)
	}
	for _, c := range pod.Spec.Containers {
		images = append(images, c.Image)
	}
	for _, v := range pod.Spec.Volumes {
		if v.Image != nil {
			images = append(images, v.Image.Reference)
		}
	}
	return images
}
