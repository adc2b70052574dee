// Package manager makes a real manager whose caches are filled from a client that keeps its objects in memory. With it a test sees, without a
// server, what wakes a controller.
package manager

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// New returns a manager whose caches show the objects of a client, and their changes. It asks no server for anything.
func New(t testing.TB, cluster client.WithWatch) ctrl.Manager {
	t.Helper()
	mapper := testrestmapper.TestOnlyStaticRESTMapper(cluster.Scheme())
	mgr, err := manager.New(&rest.Config{Host: "https://127.0.0.1:1"}, manager.Options{
		Scheme:         cluster.Scheme(),
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return mapper, nil },
		Metrics:        metrics.Options{BindAddress: "0"},
		Controller:     config.Controller{SkipNameValidation: ptr.To(true)}, // several tests have a controller of one name
		Cache: cache.Options{NewInformer: func(_ toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
			return toolscache.NewSharedIndexInformer(&source{cluster: cluster, kind: object}, object, resync, indexers)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mgr
}

// Start runs a manager until the test ends, and returns once its caches are filled.
func Start(t testing.TB, mgr ctrl.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the manager: %v", err)
		}
	})
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the caches are not filled")
	}
}

// Await waits until something is so. The condition is asked often: nothing tells of it.
func Await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not become so: %s", what)
		}
	}
}

// source lists and watches the objects of one kind. The watch is open before the list is made, so that nothing comes between.
type source struct {
	cluster client.WithWatch
	kind    runtime.Object
	next    watch.Interface
}

// IsWatchListSemanticsUnSupported has the list asked for before the watch.
func (*source) IsWatchListSemanticsUnSupported() bool { return true }

// List implements toolscache.Lister.
func (s *source) List(metav1.ListOptions) (runtime.Object, error) {
	list, err := s.empty()
	if err != nil {
		return nil, err
	}
	if s.next, err = s.cluster.Watch(context.Background(), list); err != nil {
		return nil, err
	}
	return list, s.cluster.List(context.Background(), list)
}

// Watch implements toolscache.Watcher.
func (s *source) Watch(metav1.ListOptions) (watch.Interface, error) {
	if opened := s.next; opened != nil {
		s.next = nil
		return opened, nil
	}
	list, err := s.empty()
	if err != nil {
		return nil, err
	}
	return s.cluster.Watch(context.Background(), list)
}

// empty is a list of the kind without objects.
func (s *source) empty() (client.ObjectList, error) {
	kind, err := apiutil.GVKForObject(s.kind, s.cluster.Scheme())
	if err != nil {
		return nil, err
	}
	kind.Kind += "List"
	list, err := s.cluster.Scheme().New(kind)
	if err != nil {
		return nil, err
	}
	typed, ok := list.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%T is no list of objects", list)
	}
	return typed, nil
}
