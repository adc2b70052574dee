package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// plainWorkers is how many requests of the plain writer are under way at once.
const plainWorkers = 8

// plainWriter changes an object in each namespace and does nothing else: it measures how fast the API server is at the moment.
type plainWriter struct {
	admin   client.Client
	objects []*corev1.ConfigMap
	turn    int
}

func (r *tenantRun) makePlainWriter(t *testing.T) *plainWriter {
	t.Helper()
	w := &plainWriter{admin: r.admin}
	for _, namespace := range r.teams {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}}
		vaultMust(t, r.admin.Create(t.Context(), object))
		w.objects = append(w.objects, object)
	}
	return w
}

// writeAll changes all objects, and returns how long that took.
func (w *plainWriter) writeAll(t *testing.T) time.Duration {
	t.Helper()
	w.turn++
	begun := time.Now()
	var group errgroup.Group
	group.SetLimit(plainWorkers)
	for _, object := range w.objects {
		object.Data = map[string]string{"turn": fmt.Sprint(w.turn)}
		group.Go(func() error { return w.admin.Update(t.Context(), object) })
	}
	vaultMust(t, group.Wait())
	return time.Since(begun).Round(10 * time.Millisecond)
}

// measuredRotations are the times of rotations, of the plain writer just before each, and how long after each the last status was behind.
type measuredRotations struct{ plain, rotations, behind []time.Duration }

func (m *measuredRotations) add(plain, rotation, behind time.Duration) {
	m.plain, m.rotations, m.behind = append(m.plain, plain), append(m.rotations, rotation), append(m.behind, behind)
}

func (m measuredRotations) String() string {
	return fmt.Sprintf("%s (a plain client changes as many objects in %s; all statuses say so another %s later)", m.rotations, m.plain, m.behind)
}

// checkTimes compares the slowest rotation with twice the slowest without the tenant, and the slowest status with what it may take: both
// times what the plain writer lost.
func checkTimes(t *testing.T, before, during measuredRotations) {
	t.Helper()
	slower := max(1, float64(median(during.plain))/float64(median(before.plain)))
	slowest, took := slices.Max(before.rotations), slices.Max(during.rotations)
	limit := time.Duration(2 * slower * float64(slowest))
	t.Logf("measured: the slowest rotation beside the tenant took %s, %.2f times the slowest without it; twice that, on an API server that is %.1f times as slow, is %s",
		took, float64(took)/float64(slowest), slower, limit)
	if limit = max(limit, unnoticed); took > limit {
		t.Errorf("a rotation beside the tenant was everywhere after %s, want %s at most", took, limit)
	}
	behind, most := slices.Max(during.behind), time.Duration(slower*float64(statusDelay))
	if behind > most {
		t.Errorf("a status was behind for %s beside the tenant, want %s at most", behind, most)
	}
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
