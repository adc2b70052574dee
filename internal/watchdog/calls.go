package watchdog

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// calls know which items are in the queue and urgent, though the queue cannot be asked for that. An item that is forgotten here waits
// until the work on another one ends; for one too many a worker takes something else, for which there is no room.
type calls[T comparable] struct {
	limiter workqueue.TypedRateLimiter[T]
	// events counts what was noted, so that it is known what came before what.
	events uint64
	// waiting are those that may be taken, unless they are worked on.
	waiting map[T]*call
	// later are those whose time is still to come.
	later map[T]*delay
}

// call is since when an item waits. It may have been added again while somebody took it.
type call struct {
	since uint64
	again bool
}

type delay struct {
	due   time.Time
	timer *time.Timer
}

// Add implements workqueue.TypedInterface.
func (l *lanes[T]) Add(item T) { l.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddAfter implements workqueue.TypedDelayingInterface.
func (l *lanes[T]) AddAfter(item T, after time.Duration) {
	l.AddWithOpts(priorityqueue.AddOpts{After: after}, item)
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface.
func (l *lanes[T]) AddRateLimited(item T) {
	l.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, item)
}

// AddWithOpts adds items, and has them taken where they are urgent, as soon as their time has come.
func (l *lanes[T]) AddWithOpts(o priorityqueue.AddOpts, items ...T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(o, items...)
	l.changed.Broadcast()
}

func (l *lanes[T]) add(o priorityqueue.AddOpts, items ...T) {
	if l.ShuttingDown() {
		return
	}
	for _, item := range items {
		one := priorityqueue.AddOpts{After: l.after(o, item), Priority: o.Priority}
		l.PriorityQueue.AddWithOpts(one, item)
		if known, out := l.out[item]; out && one.After <= 0 {
			known.again = true
			l.out[item] = known
		}
		if ptr.Deref(o.Priority, 0) >= l.bounds.Urgent || l.later[item] != nil {
			l.call(item, one.After)
		}
	}
}

// after is how long an item is to wait, as the queue would have it wait: what fails waits for the shorter of two times.
func (l *lanes[T]) after(o priorityqueue.AddOpts, item T) time.Duration {
	if !o.RateLimited {
		return o.After
	}
	limited := l.limiter.When(item)
	if o.After == 0 {
		return limited
	}
	return min(o.After, limited)
}

// call notes that an item is in the queue, and is urgent after a time. The queue has it wait for the shortest of all times that it was given,
// and for none where it was added without while it was worked on.
func (l *lanes[T]) call(item T, after time.Duration) {
	if after <= 0 || l.out[item].again {
		l.uncall(item)
		l.note(item)
		return
	}
	due := time.Now().Add(after)
	if known := l.later[item]; known != nil && !due.Before(known.due) {
		return
	}
	l.uncall(item)
	one := &delay{due: due}
	one.timer = time.AfterFunc(after, func() { l.comesDue(item, one) })
	l.later[item] = one
}

// uncall ends the wait for an item's time.
func (l *lanes[T]) uncall(item T) {
	if known := l.later[item]; known != nil {
		known.timer.Stop()
		delete(l.later, item)
	}
}

// comesDue has an item taken whose time has come. The queue may be a moment late with it, so it is added without a time.
func (l *lanes[T]) comesDue(item T, one *delay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.later[item] == one {
		l.add(priorityqueue.AddOpts{Priority: &l.bounds.Urgent}, item)
		l.changed.Broadcast()
	}
}

// note notes that an item may be taken.
func (l *lanes[T]) note(item T) {
	l.events++
	known := l.waiting[item]
	if known == nil {
		l.waiting[item] = &call{since: l.events}
		return
	}
	known.since, known.again = l.events, known.again || l.taking
}

// called reports whether something urgent waits that is not worked on.
func (l *lanes[T]) called() bool {
	for item := range l.waiting {
		if _, out := l.out[item]; !out {
			return true
		}
	}
	return false
}

// taken takes in what the queue gave to who asked it after so many events: whatever is more urgent and could be taken then is not there.
func (l *lanes[T]) taken(item T, priority int, began uint64) {
	if priority < l.bounds.Urgent {
		for other, known := range l.waiting {
			if _, out := l.out[other]; !out && known.since <= began {
				delete(l.waiting, other)
			}
		}
		return
	}
	l.uncall(item)
	switch known := l.waiting[item]; {
	case known == nil:
	case known.again:
		known.again = false
	default:
		delete(l.waiting, item)
	}
}

// recall has an item taken that was added while it was worked on, and that is not worked on any more.
func (l *lanes[T]) recall(item T) {
	if known := l.waiting[item]; known != nil {
		l.events++
		known.since = l.events
	}
}
