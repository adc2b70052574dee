package integration

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/internal/podlist"
)

// A tenant's pods near the size that etcd takes must not cost the operator memory: 30 of them are 30 MB on the wire.
func TestLargePodsAreListedInLittleMemory(t *testing.T) {
	server := startInstallation(t)
	hostile, shop := server.namespace(t), server.namespace(t)
	for i := range 30 {
		createPod(t, server, hostile, fmt.Sprintf("large-%d", i), "other.example.com/a:1", strings.Repeat("x", 1<<20))
	}
	createPod(t, server, shop, "web", "registry.example.com/web:1", "")
	client, err := rest.HTTPClientFor(server.config)
	if err != nil {
		t.Fatal(err)
	}
	lister, err := podlist.New(server.config, client)
	if err != nil {
		t.Fatal(err)
	}
	before, peak := heap(), peakHeap(t)
	count := 0
	truncated, err := lister.Each(t.Context(), "", "status.phase=Pending", func(pod podlist.Pod) bool {
		count++
		if len(pod.Images) != 1 || pod.UID == "" || pod.ServiceAccount != "web" || pod.PullSecrets[0] != "regcred" {
			t.Errorf("got %+v", pod)
		}
		return true
	})
	if err != nil || truncated || count != 31 {
		t.Fatalf("%d pods, truncated %t, error %v", count, truncated, err)
	}
	// Flow control of HTTP/2 lets 4 MiB wait for a slow reader.
	grown := int64(peak()) - int64(before)
	t.Logf("the heap grew by %d KiB at most", grown>>10)
	if grown > 8<<20 {
		t.Errorf("that is more than 8 MiB")
	}
	found, err := lister.InUse(t.Context(), []string{hostile, shop}, func(image string) bool { return strings.HasPrefix(image, "registry.example.com/") }, 3)
	if err != nil || len(found) != 1 {
		t.Errorf("images in use: %q, error %v", found, err)
	}
}

func createPod(t *testing.T, server *installation, namespace, name, image, argument string) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: "web",
			ImagePullSecrets:   []corev1.LocalObjectReference{{Name: "regcred"}},
			Containers:         []corev1.Container{{Name: "main", Image: image, Args: []string{argument}}},
		},
	}
	if err := server.admin.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func heap() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

// peakHeap watches the heap until the function that it returns is called, which gives the most that was seen.
func peakHeap(t *testing.T) func() uint64 {
	t.Helper()
	var most atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			most.Store(max(most.Load(), memory.HeapAlloc))
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { cancel(); <-done; return most.Load() }
}
