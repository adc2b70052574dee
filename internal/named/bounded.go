package named

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// page is how many objects are read at once where the API server does not stream a list. One can have 1.5 MB.
const page = 32

// newBoundedInformer makes the informer of the wide mode, which keeps no more of a namespace than its share.
func newBoundedInformer(source toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return toolscache.NewSharedIndexInformer(&bounded{source: toolscache.ToListerWatcherWithContext(source), kept: &kept{}}, object, resync, indexers)
}

// bounded lists and watches objects, and passes on what is kept of them.
type bounded struct {
	source toolscache.ListerWatcherWithContext
	kept   *kept
}

// List is ListWithContext for those that have no context.
func (b *bounded) List(options metav1.ListOptions) (runtime.Object, error) {
	return b.ListWithContext(context.Background(), options)
}

// Watch is WatchWithContext for those that have no context.
func (b *bounded) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return b.WatchWithContext(context.Background(), options)
}

// ListWithContext reads a whole list page by page. The reflector asks for resource version "0", which has the API server ignore the limit
// and send everything at once: so the version is left out.
func (b *bounded) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.Limit, options.ResourceVersion, options.ResourceVersionMatch = page, "", ""
	b.kept.reset()
	var kept []runtime.Object
	version := ""
	for {
		read, err := b.source.ListWithContext(ctx, options)
		if err != nil {
			return nil, err
		}
		list, err := meta.ListAccessor(read)
		if err != nil {
			return nil, err
		}
		if kept, err = b.admitAll(kept, read); err != nil {
			return nil, err
		}
		if version == "" {
			version = list.GetResourceVersion()
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			list.SetResourceVersion(version)
			return read, meta.SetList(read, kept)
		}
	}
}

// admitAll adds what is kept of a page.
func (b *bounded) admitAll(kept []runtime.Object, page runtime.Object) ([]runtime.Object, error) {
	err := meta.EachListItem(page, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", item)
		}
		if one, keep := b.kept.admit(object); keep {
			kept = append(kept, apart(one))
		}
		return nil
	})
	return kept, err
}

// apart is an object that does not keep the page in memory that it came with.
func apart(object client.Object) client.Object {
	switch one := object.(type) {
	case *corev1.Secret:
		copied := *one
		return &copied
	case *corev1.ServiceAccount:
		copied := *one
		return &copied
	}
	return object
}

// WatchWithContext passes on what is kept of each object. A watch that begins with all objects begins the count again.
func (b *bounded) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if ptr.Deref(options.SendInitialEvents, false) {
		b.kept.reset()
	}
	events, err := b.source.WatchWithContext(ctx, options)
	if err != nil {
		return nil, err
	}
	return watch.Filter(events, func(event watch.Event) (watch.Event, bool) {
		object, ok := event.Object.(client.Object)
		if !ok {
			return event, true
		}
		keep := true
		switch event.Type {
		case watch.Added, watch.Modified:
			event.Object, keep = b.kept.admit(object)
		case watch.Deleted:
			b.kept.release(object)
		}
		return event, keep
	}), nil
}

// stub is an object of which only the name is kept, and whether it has regcred's label. Its generation is one that the API server never
// gives.
func stub(object client.Object) client.Object {
	bare := metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		CreationTimestamp: object.GetCreationTimestamp(), DeletionTimestamp: object.GetDeletionTimestamp(), Generation: notHeld,
	}
	if object.GetLabels()[v1alpha1.ManagedLabel] == v1alpha1.ManagedValue {
		bare.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	}
	switch one := object.(type) {
	case *corev1.Secret:
		return &corev1.Secret{ObjectMeta: bare, Type: corev1.SecretType(strings.Clone(string(one.Type[:min(len(one.Type), 253)])))}
	case *corev1.ServiceAccount:
		return &corev1.ServiceAccount{ObjectMeta: bare}
	}
	return object
}
