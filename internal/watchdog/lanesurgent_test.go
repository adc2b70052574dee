package watchdog

import (
	"maps"
	"math/rand/v2"
	"sync"
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
}

const hanging = 1000 // items from here on are not urgent, and nobody ends them

// open is to be called in a bubble. The width is that of the hanging items that it has workers take.
func open(t *testing.T, width int) *office {
	o := &office{t: t, held: map[int]chan time.Duration{}, done: map[int]int{}}
	o.q = newLanes(t, func() int { return width })
	for range width + reserved {
		go func() {
			for o.work() {
			}
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
			time.Sleep(1)
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
