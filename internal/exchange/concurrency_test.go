package exchange

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// Many workers ask the clouds at once. The race detector looks on.
func TestGatesAreUsedByManyAtOnce(t *testing.T) {
	g := gates{m: map[asker]shut{}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var workers sync.WaitGroup
	for worker := range 3 {
		for _, then := range []func(asker, int){
			func(who asker, n int) {
				g.leave(who, now.Add(time.Duration(n)*time.Hour), &Error{Reason: ErrUnavailable})
			},
			func(who asker, n int) { g.leave(who, now, nil) },
			func(who asker, n int) { g.giveUp(who, now) },
			func(who asker, n int) { g.enter(who, now) },
		} {
			workers.Go(func() {
				for n := range 50 {
					then(askerOf("cloud.example", fmt.Sprint(worker)), n)
				}
			})
		}
	}
	workers.Wait()
	if g.leave(askerOf("cloud.example"), now, nil); g.enter(askerOf("cloud.example", "another"), now) != nil {
		t.Error("a host that answered is not asked")
	}
}
