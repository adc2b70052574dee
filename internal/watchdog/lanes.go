package watchdog

import (
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// Lanes bound how many items of a controller are worked on at once, so that those that are urgent find a worker. The controller needs as many
// workers as the greatest width and what is reserved together.
type Lanes struct {
	// Width is how many items may be worked on now, one at least.
	Width func() int
	// Reserved is how many more there may be if they are urgent: of this priority, or a higher one.
	Reserved, Urgent int
}

// lanes is a queue that keeps to them. A worker takes nothing while there is no room, unless something urgent was added. What is taken all the
// same is set aside, and added again when there is room, so no worker waits with an item. Where there is no room others are worked on, and the
// end of each makes some: so nothing waits for ever.
type lanes[T comparable] struct {
	priorityqueue.PriorityQueue[T]
	bounds *Lanes

	mu sync.Mutex
	// freed is told when there may be something to take.
	freed sync.Cond
	// called is how often something urgent was added that nobody took yet, at most.
	called int
	// out are the items that are worked on.
	out map[T]bool
	// aside are the priorities of those that are set aside, and turns are their items by priority, in the order in which they came. An item
	// that has another priority by now, or none, has lost that turn.
	aside map[T]int
	turns map[int][]T
}

func inLanes[T comparable](queue priorityqueue.PriorityQueue[T], bounds *Lanes) priorityqueue.PriorityQueue[T] {
	if bounds == nil {
		return queue
	}
	l := &lanes[T]{PriorityQueue: queue, bounds: bounds, out: map[T]bool{}, aside: map[T]int{}, turns: map[int][]T{}}
	l.freed.L = &l.mu
	return l
}

// AddWithOpts adds items, and has them taken at once where they are urgent.
func (l *lanes[T]) AddWithOpts(o priorityqueue.AddOpts, items ...T) {
	l.PriorityQueue.AddWithOpts(o, items...)
	if o.Priority != nil && *o.Priority >= l.bounds.Urgent {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.called += len(items)
		l.freed.Broadcast()
	}
}

// ShutDown ends the queue.
func (l *lanes[T]) ShutDown() {
	l.PriorityQueue.ShutDown()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freed.Broadcast()
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
	for {
		l.await()
		item, priority, shutdown = l.PriorityQueue.GetWithPriority()
		if shutdown || l.admit(item, priority) {
			return item, priority, shutdown
		}
		l.PriorityQueue.Done(item) // it is not worked on, and who adds it again is heard
	}
}

// await waits until there is room for anything, or for something urgent that was added.
func (l *lanes[T]) await() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ShuttingDown() && l.room(l.bounds.Urgent-1) <= 0 {
		if l.called > 0 && l.room(l.bounds.Urgent) > 0 {
			l.called--
			return
		}
		l.freed.Wait()
	}
}

// room is for how many items of a priority there is room.
func (l *lanes[T]) room(priority int) int {
	room := max(l.bounds.Width(), 1) - len(l.out)
	if priority >= l.bounds.Urgent {
		room += l.bounds.Reserved
	}
	return room
}

// admit reports whether there is room for an item. Otherwise it is set aside.
func (l *lanes[T]) admit(item T, priority int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room(priority) > 0 {
		delete(l.aside, item)
		l.out[item] = true
		return true
	}
	if before, there := l.aside[item]; !there || before < priority {
		l.aside[item] = priority
		l.turns[priority] = append(l.turns[priority], item)
	}
	return false
}

// Done ends the work on an item, and adds those again for which there is room now.
func (l *lanes[T]) Done(item T) {
	l.PriorityQueue.Done(item)
	for priority, items := range l.leave(item) {
		l.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, items...)
	}
}

// leave takes note of the end of an item, and returns whose turn it is, by priority. Where others are faster to take the room, those are set aside
// once more.
func (l *lanes[T]) leave(item T) map[int][]T {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.out, item)
	defer l.freed.Broadcast()
	next, called := map[int][]T{}, 0
	for _, priority := range l.priorities() {
		for len(l.turns[priority]) > 0 && called < l.room(priority) {
			one := l.turns[priority][0]
			l.turns[priority] = l.turns[priority][1:]
			if known, there := l.aside[one]; there && known == priority {
				delete(l.aside, one)
				next[priority] = append(next[priority], one)
				called++
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
