package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/target"
)

// imagesFor are those that the caller names, else those of the spec and those in use by pods that the caller may list.
func (v *verifying) imagesFor(ctx context.Context, c client.Reader, object *v1alpha1.RegistryCredential, keys []string) (images, notes []string, err error) {
	if len(v.images) > 0 {
		return v.images, nil, nil
	}
	namespace, named, err := v.access.Namespace()
	if err != nil {
		return nil, nil, err
	}
	if !named {
		namespace = ""
	}
	pods, err := v.access.pods()
	if err != nil {
		return nil, nil, err
	}
	if object.Spec.Verification != nil {
		images = slices.Clone(object.Spec.Verification.Images)
	}
	used := &usage{reader: c, pods: pods, namespace: namespace, limit: v.limit, operator: v.operator}
	inUse, err := used.images(ctx, object, func(image string) bool {
		return !slices.Contains(images, image) && len(registry.MostSpecific(keys, image)) > 0
	})
	return append(images, inUse...), used.sorted(), err
}

// usage looks for images in use with the rights of whoever calls.
type usage struct {
	reader client.Reader
	pods   *podlist.Lister
	// namespace is the one that the caller names, empty for all that the RegistryCredential selects: pods elsewhere have no credential.
	namespace string
	limit     int
	operator  string

	notes
}

// images are those of pods that match, up to the limit.
func (u *usage) images(ctx context.Context, object *v1alpha1.RegistryCredential, matches func(image string) bool) ([]string, error) {
	selected, err := u.selected(ctx, object)
	if apierrors.IsForbidden(err) {
		u.note("You may not list namespaces: which images are in use in those that are selected is not known. Name some with --image, or a namespace with -n.")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	taken := shares{limit: u.limit, each: max(1, u.limit/shareOfLimit), of: map[string]int{}, found: map[string]bool{}}
	if u.namespace != "" {
		taken.each = u.limit
	}
	err = eachPod(ctx, u.pods, &u.notes, u.namespace, "", func(pod podlist.Pod) bool {
		for _, image := range pod.Images {
			if selected[pod.Namespace] && !taken.full() && matches(image) {
				taken.add(pod.Namespace, image)
			}
		}
		return !taken.full()
	})
	found := taken.all()
	switch {
	case apierrors.IsForbidden(err):
		u.note("You may not list pods there: which images are in use is not known. Name some with --image, or a namespace with -n.")
	case err != nil:
		return nil, err
	case len(found) >= u.limit && u.limit > 0:
		u.note(fmt.Sprintf("The first %d images in use were asked for; --limit changes that.", u.limit))
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// shareOfLimit is what part of the limit the images of one namespace take, while others have some.
const shareOfLimit = 4

// shares are images of several namespaces: the people of one do not choose all that are asked for.
type shares struct {
	limit, each int
	// of are how many each namespace has.
	of    map[string]int
	found map[string]bool
	// spare are those beyond a namespace's share.
	spare []string
}

func (s *shares) full() bool { return len(s.found) >= s.limit }

func (s *shares) add(namespace, image string) {
	switch {
	case s.found[image] || slices.Contains(s.spare, image):
	case s.of[namespace] < s.each:
		s.found[image] = true
		s.of[namespace]++
	case len(s.spare) < s.limit:
		s.spare = append(s.spare, image)
	}
}

// all are those that were found. What others left of the limit, the spare ones take.
func (s *shares) all() map[string]bool {
	for _, image := range s.spare {
		if !s.full() {
			s.found[image] = true
		}
	}
	return s.found
}

// selected are the namespaces whose pods are looked at, chosen as the operator chooses.
func (u *usage) selected(ctx context.Context, object *v1alpha1.RegistryCredential) (map[string]bool, error) {
	if u.namespace != "" {
		return map[string]bool{u.namespace: true}, nil
	}
	selector, err := target.New(&object.Spec.Target, append(slices.Clone(protected), u.operator))
	if err != nil {
		return nil, err
	}
	selected := map[string]bool{}
	err = each(ctx, u.reader, &corev1.NamespaceList{}, othersAtOnce, func(namespace client.Object) {
		if namespace.GetDeletionTimestamp() == nil && selector.Selects(namespace.GetName(), namespace.GetLabels()) {
			selected[namespace.GetName()] = true
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	return selected, nil
}
