package recovery

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"

	"regcred.dev/regcred/internal/diagnosis"
)

// page is how many pods are read at once. A pod can have 1.5 MB, so that a page stays below 24 MB.
const page = 16

// newPagedInformer makes the informer of pods, whose first list is read in small pages where the API server does not stream it.
func newPagedInformer(source toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return toolscache.NewSharedIndexInformer(pagedPods{toolscache.ToListerWatcherWithContext(source), source}, object, resync, indexers)
}

// pagedPods reads a whole list page by page, and keeps of each pod what a diagnosis needs.
type pagedPods struct {
	toolscache.ListerWatcherWithContext
	toolscache.Watcher
}

// List is ListWithContext for those that have no context.
func (p pagedPods) List(options metav1.ListOptions) (runtime.Object, error) {
	return p.ListWithContext(context.Background(), options)
}

// ListWithContext reads all pages. The reflector asks for resource version "0", which has the API server ignore the limit and send
// everything at once: so the version is left out.
func (p pagedPods) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.Limit, options.ResourceVersion, options.ResourceVersionMatch = page, "", ""
	whole := &corev1.PodList{}
	for {
		read, err := p.ListerWatcherWithContext.ListWithContext(ctx, options)
		if err != nil {
			return nil, err
		}
		pods, ok := read.(*corev1.PodList)
		if !ok {
			return read, nil
		}
		for i := range pods.Items {
			whole.Items = append(whole.Items, *diagnosis.View(&pods.Items[i]))
		}
		if whole.ResourceVersion == "" {
			whole.ResourceVersion = pods.ResourceVersion
		}
		if options.Continue = pods.Continue; options.Continue == "" {
			return whole, nil
		}
	}
}
