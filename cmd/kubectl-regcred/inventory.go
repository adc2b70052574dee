package main

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/podlist"
)

// How many objects are asked for at once. Most are small. Those that the people of a namespace write can have 1.5 MB each: of a page that is
// larger than maxPage, fewer are asked for.
const (
	secretsAtOnce = 50
	othersAtOnce  = 500
)

// pullSecretTypes are the types of Secrets that kubelets read as pull Secrets.
var pullSecretTypes = []corev1.SecretType{corev1.SecretTypeDockerConfigJson, corev1.SecretTypeDockercfg}

// each lists objects page by page and calls visit for each. The number of requests depends on how many objects there are, and not in how
// many namespaces they are. list is an empty list of their kind. One that takes so long that the API server no longer knows how it was when
// it began goes on where it is.
func each(ctx context.Context, reader client.Reader, list client.ObjectList, page int64, visit func(client.Object), options ...client.ListOption) error {
	for next, size := "", page; ; {
		current, ok := list.DeepCopyObject().(client.ObjectList)
		if !ok {
			return nil
		}
		err := reader.List(ctx, current, append(options[:len(options):len(options)], client.Limit(size), client.Continue(next))...)
		if errors.Is(err, errPageTooLarge) && size > 1 {
			size = max(1, size/4)
			continue
		}
		size = min(page, 2*size) // what comes next may be small again
		if later := podlist.Resume(err, next); later != "" {
			next = later
			continue
		}
		if err != nil {
			return err
		}
		err = meta.EachListItem(current, func(item runtime.Object) error {
			if object, ok := item.(client.Object); ok {
				visit(object)
			}
			return nil
		})
		if next = current.GetContinue(); err != nil || next == "" {
			return err
		}
	}
}

// eachPod visits the pods of a namespace, or of all with "", that a field selector matches. It notes where there are more than one look reads.
func eachPod(ctx context.Context, pods *podlist.Lister, n *notes, namespace, fields string, visit func(podlist.Pod) bool) error {
	truncated, err := pods.Each(ctx, namespace, fields, visit)
	switch {
	case !truncated:
	case namespace == "":
		n.note("There are more pods than are looked at: name a namespace with -n.")
	default:
		n.note("There are more pods in namespace " + namespace + " than are looked at.")
	}
	return err
}

// eachPullSecret visits the Secrets of a namespace, or of all with "", that kubelets read.
func eachPullSecret(ctx context.Context, reader client.Reader, namespace string, visit func(*corev1.Secret), options ...client.ListOption) error {
	for _, kind := range pullSecretTypes {
		selected := slices.Concat(options, []client.ListOption{client.InNamespace(namespace), client.MatchingFields{"type": string(kind)}})
		err := each(ctx, reader, &corev1.SecretList{}, secretsAtOnce, func(object client.Object) {
			if secret, ok := object.(*corev1.Secret); ok {
				visit(secret)
			}
		}, selected...)
		if err != nil {
			return err
		}
	}
	return nil
}
