package watchdog

import (
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// office is a queue with workers that hold what they are given until they are told to end it.
type office struct {
	t    *testing.T
	q    *lanes[int]
	mu   sync.Mutex
	held map[int]chan time.Duration
	// done counts how often each item was worked on to its end.
	done map[int]int
	// width is how many may be worked on, and gone how many workers have ended.
	width, gone atomic.Int64
}

const hanging = 1000 // items from here on are not urgent, and nobody ends them

// open is to be called in a bubble. The width is that of the hanging items that it has workers take.
func open(t *testing.T, width int) *office {
	o := &office{t: t, held: map[int]chan time.Duration{}, done: map[int]int{}}
	o.width.Store(int64(width))
	o.q = newLanes(t, func() int { return int(o.width.Load()) })
	for range width + reserved {
		go func() {
			for o.work() {
			}
			o.gone.Add(1)
		}()
	}
	for i := range width {
		add(o.q, 0, hanging+i)
	}
	synctest.Wait()
	o.holds(hanging)
	return o
}

// work works on one item, and reports false where there will be no more.
func (o *office) work() bool {
	item, priority, shutdown := o.q.GetWithPriority()
	if shutdown {
		return false
	}
	end := make(chan time.Duration)
	o.hold(item, end)
	after, again := <-end
	o.hold(item, nil)
	if again { // as a controller does whose Reconcile wants to be called again
		o.q.AddWithOpts(priorityqueue.AddOpts{After: after, Priority: ptr.To(priority)}, item)
	}
	o.q.Done(item)
	return true
}

func (o *office) hold(item int, end chan time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[item] = end; end == nil {
		delete(o.held, item)
		o.done[item]++
	}
}

// end ends the work on an item, nil where nobody works on it.
func (o *office) end(item int) chan time.Duration {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held[item]
}

func (o *office) close() {
	o.q.ShutDown()
	o.mu.Lock()
	ends := maps.Clone(o.held)
	o.mu.Unlock()
	for _, end := range ends {
		close(end)
	}
	synctest.Wait()
}

func (o *office) holds(item int) chan time.Duration {
	o.t.Helper()
	end := o.end(item)
	if end == nil {
		o.t.Fatalf("nobody works on %d, for which there is room", item)
	}
	return end
}

func (o *office) ends(item int) {
	o.t.Helper()
	close(o.holds(item))
	synctest.Wait()
}

func (o *office) again(item int, after time.Duration) {
	o.t.Helper()
	o.holds(item) <- after
	synctest.Wait()
}

// TestOrderOfWhatIsUrgentWhileAllElseHangs: as many others are worked on as may be, none of them ends, and more of them wait.
func TestOrderOfWhatIsUrgentWhileAllElseHangs(t *testing.T) {
	for name, test := range map[string]func(o *office){
		"it is added while it is worked on": func(o *office) {
			add(o.q, urgent, 1)
			o.holds(1)
			add(o.q, urgent, 1)
			synctest.Wait()
			o.ends(1)
			o.holds(1)
		},
		"it is to be looked at again later": func(o *office) {
			add(o.q, urgent, 1)
			o.again(1, time.Second)
			time.Sleep(time.Second)
			o.holds(1)
		},
		"it is to be looked at again later, and is called sooner by somebody for whom it is not urgent": func(o *office) {
			add(o.q, urgent, 1)
			o.again(1, time.Hour)
			add(o.q, 0, 1)
			o.holds(1)
			o.ends(1)
			if time.Sleep(2 * time.Hour); o.end(1) != nil {
				o.t.Error("it is looked at once more when nothing asks for it")
			}
		},
		"it is to be looked at again later, and somebody called meanwhile for whom it is not urgent": func(o *office) {
			add(o.q, urgent, 1)
			o.holds(1)
			add(o.q, 0, 1)
			o.again(1, time.Hour)
			o.holds(1)
		},
		"it is to be looked at again later, and sooner": func(o *office) {
			o.q.AddWithOpts(priorityqueue.AddOpts{After: time.Hour, Priority: ptr.To(urgent)}, 1)
			o.q.AddAfter(1, time.Minute)
			o.q.AddWithOpts(priorityqueue.AddOpts{After: 2 * time.Hour, Priority: ptr.To(urgent)}, 1)
			if time.Sleep(time.Minute - 1); o.end(1) != nil {
				o.t.Error("it is looked at before its time")
			}
			time.Sleep(time.Nanosecond)
			o.holds(1)
		},
		"somebody calls in a plain way for what is to be looked at later": func(o *office) {
			o.q.AddWithOpts(priorityqueue.AddOpts{After: time.Hour, Priority: ptr.To(urgent)}, 1, 2)
			o.q.Add(1)
			o.holds(1)
			o.q.AddRateLimited(2)
			time.Sleep(time.Second)
			o.holds(2)
		},
		"it failed": func(o *office) {
			add(o.q, urgent, 1)
			o.holds(1)
			o.q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true, Priority: ptr.To(urgent)}, 1)
			o.ends(1)
			time.Sleep(time.Minute)
			o.holds(1)
		},
		"it comes after others that were taken at once": func(o *office) {
			for i := range 50 {
				add(o.q, urgent, i)
				o.ends(i)
			}
			add(o.q, urgent, 1)
			o.holds(1)
		},
		"more come than there are workers for": func(o *office) {
			add(o.q, urgent, 1, 2, 3, 4)
			for range 4 {
				for item := range 5 {
					if o.end(item) != nil {
						o.ends(item)
						break
					}
				}
			}
			for item := 1; item < 5; item++ {
				if o.done[item] != 1 {
					o.t.Errorf("%d was worked on %d times", item, o.done[item])
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := open(t, 2)
				defer o.close()
				for i := range 100 {
					add(o.q, 0, hanging+100+i)
				}
				test(o)
				o.q.mu.Lock()
				defer o.q.mu.Unlock()
				if len(o.q.aside) > 0 {
					t.Errorf("%d that wait were taken off the queue", len(o.q.aside))
				}
				o.mu.Lock()
				defer o.mu.Unlock()
				if left := len(o.q.waiting) - len(o.held); left > 0 {
					t.Errorf("%d are remembered that do not wait: %v", left, o.q.waiting)
				}
			})
		})
	}
}

// TestWhatIsUrgentIsNeverLeft adds what is urgent in any way, and ends some, while all else hangs: whatever is ready has a worker.
func TestWhatIsUrgentIsNeverLeft(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			o := open(t, 1)
			defer o.close()
			random := rand.New(rand.NewPCG(seed, 1))
			for i := range 50 {
				add(o.q, 0, hanging+100+i)
			}
			for range 60 {
				item, after := random.IntN(4), time.Duration(random.IntN(3))*time.Second
				switch random.IntN(6) {
				case 0, 1:
					add(o.q, urgent, item)
				case 2:
					o.q.AddWithOpts(priorityqueue.AddOpts{After: after, Priority: ptr.To(urgent)}, item)
				case 3:
					o.q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true, Priority: ptr.To(urgent)}, item)
				default:
					if o.end(item) != nil {
						if random.IntN(2) == 0 {
							o.again(item, after)
						} else {
							o.ends(item)
						}
					}
				}
				if random.IntN(4) == 0 {
					time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
				}
			}
			for range 20 { // whatever is still to come comes, and ends
				time.Sleep(time.Second)
				for item := range 4 {
					if o.end(item) != nil {
						o.ends(item)
					}
				}
			}
			if left := o.q.PriorityQueue.Len() + len(o.q.aside); left != 50 {
				t.Fatalf("seed %d: %d wait, want the 50 that are not urgent", seed, left)
			}
		})
	}
}

func TestWhatIsSetAsideIsTakenInItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, 1)
		defer o.close()
		for i, priority := range []int{-100, 0, 0} { // a worker asks for one while there is room, and gets it when there is none
			o.width.Store(2)
			o.q.mu.Lock()
			o.q.changed.Broadcast()
			o.q.mu.Unlock()
			synctest.Wait()
			o.width.Store(1)
			add(o.q, priority, i)
			if o.end(i) != nil {
				t.Fatalf("%d is worked on, for which there is no room", i)
			}
		}
		for left, item := range []int{hanging, 1, 2, 0} {
			if got, aside := o.q.Len(), len(o.q.aside); got != 3-left || aside != 3-left || len(o.held) != 1 {
				t.Errorf("beside %d there are %d, %d of them aside, want %d: %v", item, got, aside, 3-left, o.q.turns)
			}
			o.ends(item)
		}
		if len(o.q.turns) > 0 || len(o.q.out) > 0 {
			t.Errorf("left are %v and %v", o.q.turns, o.q.out)
		}
	})
}

func TestNoMoreIsTakenThanIsReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, 2)
		defer o.close()
		o.width.Store(1)
		add(o.q, urgent, 1)
		o.holds(1)
		if add(o.q, urgent, 2); o.end(2) != nil || len(o.q.aside) > 0 {
			t.Errorf("one more is taken, with a worker that has nothing to do: aside are %v", o.q.aside)
		}
		o.ends(1)
		o.holds(2)
	})
}

func TestAQueueThatIsShutDownLetsAllWorkersGo(t *testing.T) {
	for _, taking := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := open(t, 1)
			if taking {
				o.width.Store(2)
			}
			o.q.AddWithOpts(priorityqueue.AddOpts{After: time.Hour, Priority: ptr.To(urgent)}, 1)
			o.q.ShutDownWithDrain()
			synctest.Wait()
			if o.gone.Load() != reserved || len(o.q.later) > 0 || len(o.q.out) != 1 {
				t.Errorf("taking: %t: %d workers have ended, %d items wait for their time, worked on are %v", taking, o.gone.Load(), len(o.q.later), o.q.out)
			}
			if add(o.q, urgent, 2); len(o.q.waiting) > 0 {
				t.Error("something is added")
			}
			close(o.end(hanging))
		})
	}
}

// TestOrderOfATakeAndACall has what is noted come in an order that a queue seldom has.
func TestOrderOfATakeAndACall(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(q *lanes[int])
		want bool
	}{
		{"another is taken: it is not there", func(q *lanes[int]) { q.note(1); q.taken(9, 0, q.events) }, false},
		{"it is taken", func(q *lanes[int]) { q.note(1); q.taken(1, urgent, q.events) }, false},
		{"another that is urgent is taken", func(q *lanes[int]) { q.note(1); q.taken(9, urgent, q.events) }, true},
		{"it comes while another is taken", func(q *lanes[int]) {
			began := q.events
			q.note(1)
			q.taken(9, 0, began)
		}, true},
		{"it comes once more while another is taken", func(q *lanes[int]) {
			q.note(1)
			began := q.events
			q.note(1)
			q.taken(9, 0, began)
		}, true},
		{"it was worked on when another was asked for, and ends before that comes", func(q *lanes[int]) {
			q.out[1] = work{}
			q.note(1)
			began := q.events
			q.leave(1)
			q.taken(9, 0, began)
		}, true},
		{"it is worked on all the while", func(q *lanes[int]) {
			q.out[1] = work{}
			q.note(1)
			q.taken(9, 0, q.events)
			if q.called() {
				t.Error("what is worked on is called")
			}
			delete(q.out, 1)
		}, true},
		{"it comes once more while it is taken", func(q *lanes[int]) {
			q.note(1)
			q.taking = true
			q.note(1)
			q.taking = false
			q.taken(1, urgent, 0)
		}, true},
		{"that once more was the same", func(q *lanes[int]) {
			q.note(1)
			q.taking = true
			q.note(1)
			q.taking = false
			q.taken(1, urgent, 0)
			q.taken(1, urgent, 0)
		}, false},
		{"it came twice before", func(q *lanes[int]) { q.note(1); q.note(1); q.taken(1, urgent, 0) }, false},
	} {
		q := newLanes(t, func() int { return 1 })
		q.mu.Lock()
		if test.do(q); q.called() != test.want {
			t.Errorf("%s: it is called: %t", test.name, q.called())
		}
		q.mu.Unlock()
	}
}

// TestWhatIsUrgentLeavesRoomForOthers: more is urgent than there are workers, and none of it ends.
func TestWhatIsUrgentLeavesRoomForOthers(t *testing.T) {
	for _, width := range []int{1, 2, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			o := open(t, width)
			defer o.close()
			for i := range 50 {
				add(o.q, urgent, i)
				add(o.q, 0, hanging+100+i)
			}
			for i := range width {
				o.ends(hanging + i)
			}
			for range 60 { // the others go on
				for item := hanging + 100; item < hanging+150; item++ {
					if o.end(item) != nil {
						o.ends(item)
					}
				}
			}
			for item := hanging + 100; item < hanging+150; item++ {
				if o.done[item] != 1 {
					t.Fatalf("width %d: %d was worked on %d times while all that is urgent hangs", width, item, o.done[item])
				}
			}
			if want := reserved + width - max(width/2, 1); len(o.held) != want {
				t.Errorf("width %d: %d that are urgent are worked on, want %d", width, len(o.held), want)
			}
			for item := range 50 { // in any order
				for other := range 50 {
					if o.end(other) != nil {
						o.ends(other)
						break
					}
				}
				if item < 40 && len(o.held) == 0 {
					t.Fatalf("width %d: after %d nothing that is urgent is worked on", width, item+1)
				}
			}
			if len(o.done) != width+100 || o.q.urgent != 0 || o.q.Len() > 0 {
				t.Errorf("width %d: %d were worked on, %d still count as urgent, %d wait", width, len(o.done), o.q.urgent, o.q.Len())
			}
		})
	}
}
