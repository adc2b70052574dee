package recovery

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"regcred.dev/regcred/internal/podlist"
)

// failingLists holds no pods, and fails as its function says.
type failingLists func() error

func (f failingLists) Each(context.Context, string, string, func(podlist.Pod) bool) (bool, error) {
	return false, f()
}

func TestALookAtRunningPodsThatFailedIsTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		const fails = 2
		r := &Reconciler{Lists: failingLists(func() error {
			if looks.Add(1) <= fails {
				return errors.New("the API server is busy")
			}
			return nil
		})}
		r.scheduleLook(t.Context(), nil)
		r.scheduleLook(t.Context(), nil) // one look serves all changes of its time
		for i, after := range []time.Duration{settle, tryLookAgain, tryLookAgain} {
			time.Sleep(after)
			synctest.Wait()
			if int(looks.Load()) != i+1 {
				t.Fatalf("%d looks, want %d", looks.Load(), i+1)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks.Load() != 3 {
			t.Errorf("a look that succeeded was taken again: %d looks", looks.Load())
		}
		r.scheduleLook(t.Context(), nil)
		time.Sleep(settle)
		synctest.Wait()
		if looks.Load() != 4 {
			t.Errorf("after the next change there are %d looks, want 4", looks.Load())
		}
	})
}

func TestLoginsThatNobodyAsksWithAnyMoreAreForgotten(t *testing.T) {
	now := start
	var p probes
	used := p.login("used", now)
	used.limiter.AllowN(now, questionBurst)
	silent := p.login("silent", now)
	silent.down.until = now.Add(time.Minute)
	told := p.login("told", now)
	told.namespaces = map[string]*share{"tenant": {limiter: rate.NewLimiter(1, 1), down: answer{until: now.Add(time.Minute)}}}
	p.login("idle", now)
	if p.login("new", now); len(p.logins) != 4 || p.logins["idle"] != nil {
		t.Errorf("%d logins are known, want those that still bound something and the new one", len(p.logins))
	}
	if p.login("used", now) != used || p.login("silent", now) != silent || p.login("told", now) != told {
		t.Error("a login that is known is made again, with another limit")
	}
	now = now.Add(2 * time.Minute)
	if p.login("last", now); len(p.logins) != 1 {
		t.Errorf("%d logins are known after everything is over, want 1", len(p.logins))
	}
}
