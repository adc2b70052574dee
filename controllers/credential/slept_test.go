package credential

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/internal/source"
)

// The queue waits by a clock that stands still while the machine sleeps: a source would be read later by as much.
func TestAllIsLookedAtAfterTheMachineSlept(t *testing.T) {
	const most = lookAtClock + sleptFor
	for _, test := range []struct {
		name   string
		passes []time.Duration
		// fails is how often the cache cannot be read.
		fails, want int
	}{
		{"time passes", []time.Duration{lookAtClock, lookAtClock, lookAtClock}, 0, 0},
		{"the process waited for a processor", []time.Duration{most - 1, most - 1}, 0, 0},
		{"it slept", []time.Duration{lookAtClock, most, lookAtClock}, 0, 2},
		{"the clock was set back", []time.Duration{lookAtClock, -8 * time.Hour, lookAtClock}, 0, 0},
		{"it slept after the clock was set back", []time.Duration{-8 * time.Hour, most}, 0, 2},
		{"the cache cannot be read at once", []time.Duration{most, lookAtClock}, 1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := reporting(t, 1, 2)
			fails := test.fails
			r.Client = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
					if fails--; fails >= 0 {
						return errUnanswered
					}
					return c.List(ctx, list, options...)
				},
			})
			times, ticks, over := make(chan time.Time), make(chan time.Time), make(chan bool)
			r.Now = func() time.Time { return <-times }
			q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
			defer q.ShutDown()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { r.awaken(ctx, q, ticks); close(over) }()
			now := noon
			times <- now
			for _, passes := range test.passes {
				ticks <- time.Time{}
				now = now.Add(passes)
				times <- now
			}
			cancel()
			<-over
			if got := q.Len(); got != test.want {
				t.Errorf("%d are looked at, want %d", got, test.want)
			}
		})
	}
}

// What waits for a time that a clock noted which was set back since would wait for as long as it was set back.
func TestNothingWaitsForAClockThatWasSetBack(t *testing.T) {
	r, object := reporting(t, 1, 1)
	now := noon
	r.Now = func() time.Time { return now }
	r.memories.wake(object.Name, now)
	r.memories.tell(object.Name, source.News{Time: now}, now)
	r.memories.tell(object.Name, source.News{Time: now.Add(time.Minute)}, now)
	known, _ := r.memories.of(object, now)
	for _, at := range []*time.Time{&known.statusTime, &known.risk.time, &known.cures.first, &known.cures.last} {
		*at = now
	}
	now = now.Add(-time.Hour)
	for range 2 { // later looks find the same times: what is woken once is not woken at each
		again, nudge := r.memories.of(object, now)
		for name, at := range map[string]time.Time{"seen": again.seen, "the status": again.statusTime, "pods at risk": again.risk.time, "the first cure": again.cures.first,
			"the last cure": again.cures.last, "the connection": nudge.woken, "news": nudge.told.Time} {
			if !at.Equal(noon.Add(-time.Hour)) {
				t.Errorf("%s: %s", name, at)
			}
		}
		if ahead := nudge.ahead.Time; !ahead.Equal(noon.Add(time.Minute)) {
			t.Errorf("what is to be read later: %s", ahead)
		}
		now = now.Add(time.Second)
	}
	if fresh := (&memories{}); fresh.m == nil {
		if fresh.of(object, now); len(fresh.nudges) > 0 {
			t.Error("who was never told anything is remembered to have been")
		}
	}
}
