package watchdog

import (
	"slices"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// Lanes bound how many items of a controller are worked on at once, so that those that are urgent find a worker. The controller needs as many
// workers as the greatest width and what is reserved together.
type Lanes struct {
	// Width is how many items may be worked on now, one at least.
	Width func() int
	// Reserved is how many more there may be if they are urgent: of this priority, or a higher one. Half of the width is for what is not: however
	// much is urgent, and however long that takes, the others move.
	Reserved, Urgent int
}

// lanes is a queue that keeps to them. A worker takes nothing while there is no room, unless something urgent waits. What is taken all the
// same is set aside, and added again when there is room, so no worker waits with an item. Where there is no room others are worked on, and the
// end of each makes some: so nothing waits for ever.
type lanes[T comparable] struct {
	priorityqueue.PriorityQueue[T]
	bounds *Lanes

	mu sync.Mutex
	// changed is told when there may be something to take.
	changed sync.Cond
	// taking is set while a worker takes an item off the queue. One does at a time, so what it was given tells what else is not there.
	taking bool
	// out are the items that are worked on, urgent is how many of them are urgent.
	out    map[T]work
	urgent int
	// aside are the priorities of those that are set aside, and turns are their items by priority, in the order in which they came. An item
	// that has another priority by now, or none, has lost that turn.
	aside map[T]int
	turns map[int][]T

	calls[T]
}

// work is what is known of an item that is worked on: whether it is urgent, and was added meanwhile.
type work struct{ urgent, again bool }

func inLanes[T comparable](queue priorityqueue.PriorityQueue[T], bounds *Lanes, limiter workqueue.TypedRateLimiter[T]) priorityqueue.PriorityQueue[T] {
	if bounds == nil {
		return queue
	}
	l := &lanes[T]{
		PriorityQueue: queue, bounds: bounds, out: map[T]work{}, aside: map[T]int{}, turns: map[int][]T{},
		calls: calls[T]{limiter: limiter, waiting: map[T]*call{}, later: map[T]*delay{}},
	}
	l.changed.L = &l.mu
	return l
}

// ShutDown ends the queue.
func (l *lanes[T]) ShutDown() {
	l.PriorityQueue.ShutDown()
	l.mu.Lock()
	defer l.mu.Unlock()
	for item := range l.later {
		l.uncall(item)
	}
	l.changed.Broadcast()
}

// ShutDownWithDrain implements workqueue.TypedInterface.
func (l *lanes[T]) ShutDownWithDrain() { l.ShutDown() }

// Get implements workqueue.TypedInterface.
func (l *lanes[T]) Get() (item T, shutdown bool) {
	item, _, shutdown = l.GetWithPriority()
	return item, shutdown
}

// GetWithPriority gives the next item for which there is room.
func (l *lanes[T]) GetWithPriority() (item T, priority int, shutdown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for !l.ShuttingDown() && !l.mayTake() {
			l.changed.Wait()
		}
		var admitted bool
		if item, priority, shutdown, admitted = l.take(); shutdown || admitted {
			return item, priority, shutdown
		}
	}
}

// mayTake reports whether nobody takes an item, and there is room for anything, or for something urgent that waits.
func (l *lanes[T]) mayTake() bool {
	return !l.taking && (l.room(l.bounds.Urgent-1) > 0 || l.room(l.bounds.Urgent) > 0 && l.called())
}

// take takes an item off the queue. The caller holds the mutex, which is free while there is none. It reports false where there is no room for
// the item, which is set aside then.
func (l *lanes[T]) take() (item T, priority int, shutdown, admitted bool) {
	l.taking = true
	began := l.events
	l.mu.Unlock()
	item, priority, shutdown = l.PriorityQueue.GetWithPriority()
	l.mu.Lock()
	defer l.changed.Broadcast()
	l.taking = false
	if !shutdown {
		l.taken(item, priority, began)
		admitted = l.admit(item, priority)
	}
	if !admitted {
		l.PriorityQueue.Done(item) // it is not worked on, and who adds it again is heard
	}
	return item, priority, shutdown, admitted
}

// room is for how many items of a priority there is room. All that is worked on is never more than the width and what is reserved.
func (l *lanes[T]) room(priority int) int {
	width := max(l.bounds.Width(), 1)
	share, others := max(width/2, 1), len(l.out)-l.urgent
	if priority >= l.bounds.Urgent {
		return l.bounds.Reserved + min(width-len(l.out), width-share-l.urgent)
	}
	return max(width-len(l.out), share-others)
}

// admit reports whether there is room for an item. Otherwise it is set aside.
func (l *lanes[T]) admit(item T, priority int) bool {
	if l.room(priority) > 0 {
		delete(l.aside, item)
		l.out[item] = work{urgent: priority >= l.bounds.Urgent}
		if l.out[item].urgent {
			l.urgent++
		}
		return true
	}
	if before, there := l.aside[item]; !there || before < priority {
		l.aside[item] = priority
		l.turns[priority] = append(l.turns[priority], item)
	}
	return false
}

// Done ends the work on an item, and adds those again for which there is room now. Nobody can be given the item again before it is counted out:
// it would be counted twice, and once for ever.
func (l *lanes[T]) Done(item T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.PriorityQueue.Done(item)
	l.leave(item)
	for priority, items := range l.next() {
		l.add(priorityqueue.AddOpts{Priority: &priority}, items...)
	}
	l.changed.Broadcast()
}

func (l *lanes[T]) leave(item T) {
	if l.out[item].urgent {
		l.urgent--
	}
	delete(l.out, item)
	l.recall(item)
}

// next takes those that are set aside whose turn it is, by priority. Where others are faster to take the room, they are set aside once more.
func (l *lanes[T]) next() map[int][]T {
	next, taken := map[int][]T{}, 0
	for _, priority := range l.priorities() {
		for len(l.turns[priority]) > 0 && taken < l.room(priority) {
			one := l.turns[priority][0]
			l.turns[priority] = l.turns[priority][1:]
			if known, there := l.aside[one]; there && known == priority {
				delete(l.aside, one)
				next[priority] = append(next[priority], one)
				taken++
			}
		}
		if len(l.turns[priority]) == 0 {
			delete(l.turns, priority)
		}
	}
	return next
}

// priorities are those of what is set aside, the highest first.
func (l *lanes[T]) priorities() []int {
	var all []int
	for priority := range l.turns {
		all = append(all, priority)
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

// Len is how many items wait.
func (l *lanes[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.PriorityQueue.Len() + len(l.aside)
}
