package recovery

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// served is a pod that got its turn.
type served struct {
	at              time.Time
	node, namespace string
	containers      int
}

// serve lets pods come at once and in random order, and gives each its turn at the time that it was told.
func serve(limits Limits, pods []served, seed uint64) []served {
	random := rand.New(rand.NewPCG(seed, 2))
	var b budget
	var done []served
	now := start
	for i, pod := range pods {
		now = now.Add(time.Duration(random.IntN(20)) * time.Millisecond)
		pod.at = b.reserve(limits, types.UID(fmt.Sprint(i)), pod.node, pod.namespace, pod.containers, now)
		if pod.at.Before(now) {
			pod.at = now
		}
		done = append(done, pod)
	}
	slices.SortFunc(done, func(a, b served) int { return a.at.Compare(b.at) })
	return done
}

func crowd(count, nodes, namespaces int) []served {
	var pods []served
	for i := range count {
		pods = append(pods, served{node: fmt.Sprint("node-", i%nodes), namespace: fmt.Sprint("team-", i%namespaces), containers: 1 + i%3})
	}
	return pods
}

func TestNoMinuteHoldsMorePodsThanTheLimits(t *testing.T) {
	limits := Limits{NodePullsPerSecond: 2, NodeBurst: 5, NamespacePodsPerMinute: 20, PodsPerMinute: 90}
	for seed := range uint64(20) {
		done := serve(limits, crowd(400, 7, 9), seed)
		busiest := func(of func(served) bool) int {
			var times []time.Time
			for _, pod := range done {
				if of(pod) {
					times = append(times, pod.at)
				}
			}
			most := 0
			for i := range times {
				n := 0
				for _, later := range times[i:] {
					if later.Sub(times[i]) < time.Minute {
						n++
					}
				}
				most = max(most, n)
			}
			return most
		}
		if n := busiest(func(served) bool { return true }); n > limits.PodsPerMinute {
			t.Errorf("seed %d: %d pods within a minute", seed, n)
		}
		for i := range 9 {
			if n := busiest(func(p served) bool { return p.namespace == fmt.Sprint("team-", i) }); n > limits.NamespacePodsPerMinute {
				t.Errorf("seed %d: %d pods of team-%d within a minute", seed, n, i)
			}
		}
	}
}

func TestANodeIsNotAskedForMorePullsThanItDoes(t *testing.T) {
	limits := Limits{NodePullsPerSecond: 2, NodeBurst: 5, NamespacePodsPerMinute: 10_000, PodsPerMinute: 10_000}
	done := serve(limits, crowd(200, 4, 1), 1)
	for i := range 4 {
		var pods []served
		for _, pod := range done {
			if pod.node == fmt.Sprint("node-", i) {
				pods = append(pods, pod)
			}
		}
		for first := range pods {
			containers := 0
			for last := first; last < len(pods); last++ {
				containers += pods[last].containers
				allowed := float64(limits.NodeBurst) + limits.NodePullsPerSecond*pods[last].at.Sub(pods[first].at).Seconds() + 0.01
				if float64(containers) > allowed {
					t.Fatalf("node-%d: %d pulls within %s", i, containers, pods[last].at.Sub(pods[first].at))
				}
			}
		}
	}
}

func TestAPodOnAFreeNodeDoesNotWait(t *testing.T) {
	var b budget
	for i := range 5 {
		if due := b.reserve(Limits{}, types.UID(fmt.Sprint(i)), "node-1", "prod", 1, start); !due.Equal(start) {
			t.Errorf("pod %d waits until %s", i, due)
		}
	}
	if due := b.reserve(Limits{}, "6", "node-1", "prod", 1, start); due.Sub(start) != 500*time.Millisecond {
		t.Errorf("the sixth waits %s, want 500ms", due.Sub(start))
	}
	if due := b.reserve(Limits{}, "7", "node-2", "prod", 20, start); !due.Equal(start) {
		t.Errorf("a pod with more containers than the burst waits until %s", due)
	}
}

func TestAPodKeepsItsTurn(t *testing.T) {
	var b budget
	limits := Limits{NamespacePodsPerMinute: 1}
	b.reserve(limits, "first", "node-1", "prod", 1, start)
	due := b.reserve(limits, "second", "node-1", "prod", 1, start)
	if due.Sub(start) != time.Minute {
		t.Fatalf("the second waits %s, want a minute", due.Sub(start))
	}
	for _, later := range []time.Duration{time.Second, 59 * time.Second, time.Minute} {
		if again := b.reserve(limits, "second", "node-1", "prod", 1, start.Add(later)); !again.Equal(due) {
			t.Errorf("asked again after %s, its turn moved to %s", later, again.Sub(start))
		}
	}
	if void := b.reserve(limits, "second", "node-1", "prod", 1, due.Add(time.Hour)); void.Before(due.Add(time.Hour)) {
		t.Error("a turn that was missed for an hour still counts")
	}
	b.release("second")
	if again := b.reserve(limits, "second", "node-1", "prod", 1, due.Add(time.Hour)); again.Equal(due) {
		t.Error("a turn that was used counts again")
	}
}
