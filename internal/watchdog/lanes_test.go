package watchdog

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

const urgent, reserved = 100, 2

func newLanes(t *testing.T, width func() int) *lanes[int] {
	t.Helper()
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[int](time.Millisecond, time.Second)
	inner := priorityqueue.New(t.Name(), func(o *priorityqueue.Opts[int]) { o.RateLimiter = limiter })
	queue := inLanes(inner, &Lanes{Width: width, Reserved: reserved, Urgent: urgent}, limiter).(*lanes[int])
	t.Cleanup(func() {
		if !queue.ShuttingDown() {
			queue.ShutDown()
		}
	})
	return queue
}

func add(q *lanes[int], priority int, items ...int) {
	q.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(priority)}, items...)
}

// worker asks a queue for items, and gives them to a channel. It does not work on them.
func worker(q *lanes[int], given chan<- int) {
	item, shutdown := q.Get()
	if !shutdown {
		given <- item
	}
}

func awaitItem(t *testing.T, given <-chan int) int {
	t.Helper()
	select {
	case item := <-given:
		return item
	case <-time.After(20 * time.Second):
		t.Fatal("no item is given")
		return 0
	}
}

// wait waits until so many items wait, and fails where one is given meanwhile.
func wait(t *testing.T, q *lanes[int], given <-chan int, want int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); q.Len() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d items wait, want %d", q.Len(), want)
		}
	}
	select {
	case item := <-given:
		t.Fatalf("%d is given, for which there is no room", item)
	case <-time.After(20 * time.Millisecond): // what is given in spite of that may take a moment
	}
}

func TestWhatIsUrgentDoesNotWaitForWhatIsNot(t *testing.T) {
	width := atomic.Int64{}
	width.Store(3)
	q, given := newLanes(t, func() int { return int(width.Load()) }), make(chan int)
	for range 3 + reserved { // as many workers as the controller has
		go worker(q, given)
	}
	add(q, 0, 0, 1, 2)
	if sum := awaitItem(t, given) + awaitItem(t, given) + awaitItem(t, given); sum != 0+1+2 {
		t.Fatalf("others are given than there are: their sum is %d", sum)
	}
	add(q, 0, 3)
	wait(t, q, given, 1)
	add(q, 0, 4, 5)
	wait(t, q, given, 3)
	q.mu.Lock()
	if len(q.aside) > reserved {
		t.Errorf("%d items are taken for which there is no room: nobody sees that they wait", len(q.aside))
	}
	q.mu.Unlock()
	add(q, urgent, 4, 6) // one of them waits already
	first, second := awaitItem(t, given), awaitItem(t, given)
	if min(first, second) != 4 || max(first, second) != 6 {
		t.Errorf("%d and %d are given, want the urgent 4 and 6", first, second)
	}
	go worker(q, given)
	add(q, urgent, 7) // what is reserved is in use, too
	wait(t, q, given, 3)
	q.Done(first)
	if got := awaitItem(t, given); got != 7 {
		t.Errorf("%d is given, want the urgent 7", got)
	}
	go worker(q, given)
	q.Done(second)
	wait(t, q, given, 2) // there is room for what is urgent, and for nothing else
	width.Store(4)
	q.Done(7)
	if got := awaitItem(t, given); got != 3 && got != 5 {
		t.Errorf("%d is given, want 3 or 5, which wait", got)
	}
}

func TestWhatIsWorkedOnMayBeAddedAgain(t *testing.T) {
	q, given := newLanes(t, func() int { return 1 }), make(chan int)
	go worker(q, given)
	add(q, 0, 1)
	awaitItem(t, given)
	add(q, 0, 1, 2)
	go worker(q, given)
	wait(t, q, given, 2) // 2, and 1 is not given twice
	q.Done(1)
	first := awaitItem(t, given)
	go worker(q, given)
	q.Done(first)
	if second := awaitItem(t, given); first+second != 3 {
		t.Errorf("%d and %d are given, want 1 and 2", first, second)
	}
}

// TestNoItemIsLostInLanes has workers work while items are added in any order and the width changes at random. Each item is worked on after it
// was added for the last time, and never more at once than there is room for.
func TestNoItemIsLostInLanes(t *testing.T) {
	const items, adds, most = 300, 20_000, 6
	width := atomic.Int64{}
	width.Store(most)
	q := newLanes(t, func() int { return int(width.Load()) })
	var added, seen [items]atomic.Int64
	var working, normal, highest atomic.Int64
	var workers sync.WaitGroup
	for range most + reserved {
		workers.Go(func() {
			for {
				item, priority, shutdown := q.GetWithPriority()
				if shutdown {
					return
				}
				highest.Store(max(highest.Load(), working.Add(1)))
				if priority < urgent && normal.Add(1) > most {
					t.Error("too many items are worked on that are not urgent")
				}
				seen[item].Store(added[item].Load())
				if priority < urgent {
					normal.Add(-1)
				}
				working.Add(-1)
				q.Done(item)
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range adds {
		item, priority := random.IntN(items), []int{-100, 0, 0, 0, urgent}[random.IntN(5)]
		added[item].Add(1)
		add(q, priority, item)
		width.Store(1 + random.Int64N(most))
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		lost := 0
		for i := range items {
			if seen[i].Load() != added[i].Load() {
				lost++
			}
		}
		if lost == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d items are not worked on", lost)
		}
	}
	q.ShutDown()
	workers.Wait()
	if highest.Load() > most+reserved || q.Len() != 0 {
		t.Errorf("%d were worked on at once, and %d are left", highest.Load(), q.Len())
	}
}

// early gives an item to who waits for it before its Done returns, as far as that is possible.
type early struct {
	priorityqueue.PriorityQueue[int]
	given chan int
}

func (e early) Done(item int) {
	e.PriorityQueue.Done(item)
	select {
	case next := <-e.given:
		e.given <- next
	case <-time.After(50 * time.Millisecond): // it is not possible
	}
}

// TestOrderOfAnEndAndTheNextBegin: what was added while it was worked on is taken by another worker at the moment in which the first one is done.
// What each of them took is given back all the same, else what is urgent would find less room each time, and none in the end.
func TestOrderOfAnEndAndTheNextBegin(t *testing.T) {
	for _, priorities := range [][2]int{{urgent, urgent}, {urgent, 0}, {0, urgent}, {0, 0}} {
		limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[int](time.Millisecond, time.Second)
		given := make(chan int, 1)
		inner := early{priorityqueue.New(t.Name(), func(o *priorityqueue.Opts[int]) { o.RateLimiter = limiter }), given}
		q := inLanes[int](inner, &Lanes{Width: func() int { return 4 }, Reserved: reserved, Urgent: urgent}, limiter).(*lanes[int])
		add(q, priorities[0], 1)
		if item, _ := q.Get(); item != 1 {
			t.Fatalf("%d is given", item)
		}
		add(q, priorities[1], 1)
		go worker(q, given)
		q.Done(1)
		q.Done(awaitItem(t, given))
		q.mu.Lock()
		if q.urgent != 0 || len(q.out) != 0 {
			t.Errorf("%v: nothing is worked on, and %d items count as worked on, %d as urgent", priorities, len(q.out), q.urgent)
		}
		q.mu.Unlock()
		q.ShutDown()
	}
}

func TestWithoutLanesTheQueueIsAsItWas(t *testing.T) {
	queue := priorityqueue.New[int](t.Name())
	defer queue.ShutDown()
	if inLanes(queue, nil, nil) != queue {
		t.Error("it is another one")
	}
}

// A timer may go off just as its item is given another time: that one counts.
func TestATimeThatWasReplacedBringsNothing(t *testing.T) {
	q := newLanes(t, func() int { return 1 })
	q.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(urgent), After: time.Hour}, 7)
	q.comesDue(7, &delay{due: time.Now()})
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.later[7] == nil || q.called() {
		t.Error("an item comes an hour early")
	}
}

// counting is a limiter that knows how often each item failed, and has it wait for so many seconds.
type counting struct {
	workqueue.TypedRateLimiter[int]
	failed map[int]int
}

func (c counting) When(item int) time.Duration {
	c.failed[item]++
	return time.Duration(c.failed[item]) * time.Second
}

func TestWhatFailsWaitsByItsOwnFailuresAndNoLongerThanItIsTold(t *testing.T) {
	q := newLanes(t, func() int { return 1 })
	limiter := counting{q.limiter, map[int]int{}}
	q.limiter = limiter
	q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, 1, 2, 3)
	q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, 3)
	if limiter.failed[1] != 1 || limiter.failed[2] != 1 || limiter.failed[3] != 2 {
		t.Errorf("the failures are counted as %v", limiter.failed)
	}
	for _, test := range []struct {
		o    priorityqueue.AddOpts
		want time.Duration
	}{
		{priorityqueue.AddOpts{RateLimited: true}, time.Second}, {priorityqueue.AddOpts{RateLimited: true, After: time.Minute}, time.Second},
		{priorityqueue.AddOpts{RateLimited: true, After: time.Millisecond}, time.Millisecond}, {priorityqueue.AddOpts{After: time.Minute}, time.Minute},
	} {
		clear(limiter.failed)
		if got := q.after(test.o, 4); got != test.want {
			t.Errorf("%+v: it waits %s, want %s", test.o, got, test.want)
		}
	}
}

func TestWhatIsSetAsideAndComesAgainKeepsTheHigherPriority(t *testing.T) {
	for _, priorities := range [][]int{{0, urgent}, {urgent, 0}, {urgent}, {0, urgent, 0}} {
		q := newLanes(t, func() int { return 2 })
		q.mu.Lock()
		for item := range 2 + reserved {
			q.out[item] = work{urgent: true}
			q.urgent++
		}
		q.out[-1] = work{}
		for _, priority := range priorities {
			if q.admit(7, priority) {
				t.Errorf("%v: there is no room, and it is admitted", priorities)
			}
		}
		clear(q.out)
		q.urgent = 0
		next := q.next()
		if len(next) != 1 || len(next[urgent]) != 1 || next[urgent][0] != 7 || len(q.aside) != 0 {
			t.Errorf("%v: it is added again as %v, and %v are aside", priorities, next, q.aside)
		}
		q.mu.Unlock()
	}
}

func TestWhatWasSetAsideComesBackWithItsPriority(t *testing.T) {
	for _, priority := range []int{urgent, urgent + 1} {
		q := newLanes(t, func() int { return 4 })
		q.mu.Lock()
		for item := 0; q.room(urgent) > 0; item++ {
			q.out[item] = work{urgent: true}
			q.urgent++
		}
		if q.admit(7, priority) {
			t.Error("there is no room, and it is admitted")
		}
		q.mu.Unlock()
		q.Done(0)
		if n := q.PriorityQueue.Len(); n != 1 {
			t.Fatalf("%d are in the queue", n)
		}
		if item, got, _ := q.PriorityQueue.GetWithPriority(); item != 7 || got != priority {
			t.Errorf("%d comes back with the priority %d, want %d", item, got, priority)
		}
	}
}

func TestHoweverNarrowAWidthIsOneMayBeWorkedOnAndWhatIsReserved(t *testing.T) {
	for _, width := range []int{-1, 0, 1} {
		q := newLanes(t, func() int { return width })
		q.mu.Lock()
		if plain, first := q.room(0), q.room(urgent); plain != 1 || first != reserved {
			t.Errorf("a width of %d has room for %d, and for %d that are urgent", width, plain, first)
		}
		q.mu.Unlock()
	}
}
