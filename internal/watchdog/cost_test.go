package watchdog

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// Each look is given a logger, and most say nothing.
func TestALoggerThatSaysNothingCostsLittle(t *testing.T) {
	about, make := place{"shop", "regcred"}, loggerFor[place]("delivery")
	allocations := testing.AllocsPerRun(100, func() { make(&about).WithValues("reconcileID", "x") })
	if most := 6.0; allocations > most {
		t.Errorf("%.0f allocations, want %.0f at most", allocations, most)
	}
}

// waiting is a queue of lanes with so many items.
func waiting(t testing.TB, items int) priorityqueue.PriorityQueue[place] {
	t.Helper()
	bounds := &Lanes{Width: func() int { return 32 }, Reserved: 8, Urgent: 100}
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[place](time.Second, time.Minute)
	queue := inLanes(priorityqueue.New("cost", func(o *priorityqueue.Opts[place]) { o.RateLimiter = limiter }), bounds, limiter)
	t.Cleanup(queue.ShutDown)
	all := make([]place, 0, items)
	for i := range items {
		all = append(all, place{fmt.Sprintf("n-%05d", i), "regcred"})
	}
	queue.AddWithOpts(priorityqueue.AddOpts{}, all...)
	return queue
}

// turn takes an item as a worker does, and ends the work on it.
func turn(queue priorityqueue.PriorityQueue[place]) {
	item, _, _ := queue.GetWithPriority()
	queue.Done(item)
}

// What a turn costs is a share of what a namespace costs in a rotation, and must not grow with those that wait.
func TestATurnOfALaneCostsTheSameHoweverManyWait(t *testing.T) {
	cost := func(items int) float64 {
		queue := waiting(t, items)
		return testing.AllocsPerRun(items/2, func() { turn(queue) })
	}
	few, many := cost(100), cost(10_000)
	if many > few+1 {
		t.Errorf("%.0f allocations where 100 wait, %.0f where 10,000 do", few, many)
	}
	if most := 8.0; many > most {
		t.Errorf("%.0f allocations for a turn, want %.0f at most", many, most)
	}
}

func BenchmarkATurn(b *testing.B) {
	for _, items := range []int{100, 10_000} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			queue := waiting(b, items)
			b.ReportAllocs()
			for b.Loop() {
				item, _, _ := queue.GetWithPriority()
				queue.Done(item)
				queue.AddWithOpts(priorityqueue.AddOpts{}, item)
			}
		})
	}
}
