package scenario

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follow tells of the objects that a list has now, as added, and of each change after that, until it is stopped or the context ends. An API server
// ends the watch of whoever is slow, as tests are on a busy machine: such a one is taken up where it ended. A closed channel means that events
// were missed.
func Follow(ctx context.Context, cluster client.WithWatch, list client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
	empty := list.DeepCopyObject().(client.ObjectList)
	if err := cluster.List(ctx, list, options...); err != nil {
		return nil, err
	}
	objects, err := meta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("a list of %T: %w", list, err)
	}
	ctx, stop := context.WithCancel(ctx)
	changes, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			return cluster.Watch(ctx, empty.DeepCopyObject().(client.ObjectList), append(options[:len(options):len(options)], &client.ListOptions{Raw: &raw})...)
		},
	})
	if err != nil {
		stop()
		return nil, err
	}
	f := &followed{events: make(chan watch.Event), stop: stop}
	go f.send(ctx, objects, changes.ResultChan())
	return f, nil
}

type followed struct {
	events chan watch.Event
	stop   context.CancelFunc
}

func (f *followed) ResultChan() <-chan watch.Event { return f.events }

func (f *followed) Stop() { f.stop() }

func (f *followed) send(ctx context.Context, objects []runtime.Object, changes <-chan watch.Event) {
	defer close(f.events)
	for _, object := range objects {
		if !f.tell(ctx, watch.Event{Type: watch.Added, Object: object}) {
			return
		}
	}
	for event := range changes {
		if !f.tell(ctx, event) {
			return
		}
	}
}

func (f *followed) tell(ctx context.Context, event watch.Event) bool {
	select {
	case f.events <- event:
		return true
	case <-ctx.Done():
		return false
	}
}
