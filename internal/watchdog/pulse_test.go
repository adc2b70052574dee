package watchdog

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// working is a controller in which so many items wait.
func working(waiting *int) *pulse {
	return &pulse{name: "delivery", waiting: func() int { return *waiting }, running: map[any]time.Time{}}
}

// Another item waits at every look, and each is worked on to its end: a controller that moves is not restarted for being busy.
func TestABusyControllerThatWorksIsWell(t *testing.T) {
	waiting := 1 // always another one
	p := working(&waiting)
	for i := range 100 {
		now := noon.Add(time.Duration(i) * Timeout / 2)
		p.begin(i, now)
		if err := p.check(now); err != nil {
			t.Fatalf("after %s: %v", now.Sub(noon), err)
		}
		p.end(i)
	}
}

func TestAControllerThatIsEmptyNowAndThenIsWell(t *testing.T) {
	waiting := 0
	p := working(&waiting)
	for i := range 100 {
		waiting = (i + 1) % 2
		if err := p.check(noon.Add(time.Duration(i) * Timeout)); err != nil {
			t.Fatalf("look %d: %v", i, err)
		}
	}
}

// What begins and never ends has worked on nothing.
func TestAControllerWhoseWorkBeginsAndDoesNotEndStandsStill(t *testing.T) {
	waiting := 3
	p := working(&waiting)
	if err := p.check(noon); err != nil {
		t.Fatal(err)
	}
	p.begin("a", noon.Add(Timeout))
	if err := p.check(noon.Add(2 * Timeout)); err == nil || !strings.Contains(err.Error(), "3 items wait") {
		t.Errorf("%v", err)
	}
	p.end("a")
	if err := p.check(noon.Add(2 * Timeout)); err != nil {
		t.Errorf("after an end: %v", err)
	}
}

func TestAControllerStandsStillAfterTwoTimeoutsAndNotBefore(t *testing.T) {
	for after, want := range map[time.Duration]string{2*Timeout - time.Nanosecond: "", 2 * Timeout: "3 items wait"} {
		waiting := 3
		p := working(&waiting)
		if err := p.check(noon); err != nil {
			t.Fatal(err)
		}
		if err := p.check(noon.Add(after)); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("work waits for %s: %v", after, err)
		}
	}
	for after, want := range map[time.Duration]string{2*Timeout - time.Nanosecond: "", 2 * Timeout: "a, b: runs for more than"} {
		waiting := 0
		p := working(&waiting)
		p.begin("b", noon)
		p.begin("a", noon)
		if err := p.check(noon.Add(after)); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("two run for %s: %v", after, err)
		}
	}
}

func TestThatAControllerStandsStillIsLoggedOnceWithWhereItIs(t *testing.T) {
	before := ctrl.Log
	t.Cleanup(func() { ctrl.Log = before })
	var out bytes.Buffer
	ctrl.Log = zap.New(zap.WriteTo(&out), zap.JSONEncoder(func(c *zapcore.EncoderConfig) { c.TimeKey, c.LevelKey = "", "" }))
	now, waiting := noon, 1
	d := &Watchdog{now: func() time.Time { return now }}
	d.watch(working(&waiting))
	look := func(want bool) {
		t.Helper()
		if err := d.Check(nil); (err != nil) != want {
			t.Errorf("at %s: %v", now.Sub(noon), err)
		}
	}
	said := func() int { return strings.Count(out.String(), "A controller stands still") }
	look(false)
	now = now.Add(2 * Timeout)
	look(true)
	look(true)
	if said() != 1 || !strings.Contains(out.String(), StacksKey) || !strings.Contains(out.String(), "TestThatAControllerStandsStill") {
		t.Errorf("said %d times: %.300s", said(), out.String())
	}
	waiting = 0
	look(false)
	waiting = 1
	look(false)
	now = now.Add(2 * Timeout)
	look(true)
	if said() != 2 {
		t.Errorf("it stands still again, and that was said %d times", said())
	}
}

func TestALoggerAddsItsValuesToEachLine(t *testing.T) {
	before := ctrl.Log
	t.Cleanup(func() { ctrl.Log = before })
	var out bytes.Buffer
	ctrl.Log = zap.New(zap.WriteTo(&out), zap.JSONEncoder(func(c *zapcore.EncoderConfig) { c.TimeKey, c.LevelKey = "", "" }))
	log := logWith(func() []any { return []any{"controller", "delivery"} })
	log.WithValues("namespace", "shop").WithName("part").Info("did", "n", 1)
	log.Error(errors.New("refused"), "failed", "n", 2)
	for _, want := range []string{`"controller":"delivery"`, `"namespace":"shop"`, `"logger":"part"`, `"n":1`, `"error":"refused"`, `"n":2`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	if got := strings.Count(out.String(), `"controller":"delivery"`); got != 2 {
		t.Errorf("of two lines %d name the controller", got)
	}
}

func TestWithoutAClockOfItsOwnAWatchdogLooksAtTheMachines(t *testing.T) {
	for name, d := range map[string]*Watchdog{"none": nil, "the zero value": {}} {
		if got := d.time(); time.Since(got) > time.Minute || time.Since(got) < 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAControllerIsMadeWithWhatItsSpecSays(t *testing.T) {
	before := ctrl.Log
	t.Cleanup(func() { ctrl.Log = before })
	var out bytes.Buffer
	ctrl.Log = zap.New(zap.WriteTo(&out))
	o := options(&Watchdog{}, Spec{Name: "delivery", Workers: 3, BackOffStart: 5 * time.Second}, reconcile.TypedFunc[string](nil))
	if o.MaxConcurrentReconciles != 3 || o.ReconciliationTimeout != Timeout {
		t.Errorf("%d workers, %s", o.MaxConcurrentReconciles, o.ReconciliationTimeout)
	}
	item := "a"
	if o.LogConstructor(&item).Info("looked"); !strings.Contains(out.String(), `"controller":"delivery","request":"a"`) {
		t.Errorf("said %s", out.String())
	}
	queue := o.NewQueue("delivery", o.RateLimiter)
	t.Cleanup(queue.ShutDown)
	queue.AddRateLimited("a")
	for end := time.Now().Add(10 * time.Second); o.RateLimiter.NumRequeues("a") != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the queue asked the limiter for %d waits", o.RateLimiter.NumRequeues("a"))
		}
	}
	if wait := o.RateLimiter.When("a"); wait != 10*time.Second {
		t.Errorf("the second wait is %s", wait)
	}
}

// A probe looks while controllers are made and begin to work. The race detector must find nothing.
func TestTheProbeLooksWhileControllersAreMade(t *testing.T) {
	d := &Watchdog{}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 20 {
				o := options(d, Spec{Name: "test", Workers: 1, BackOffStart: time.Second}, reconcile.TypedFunc[string](
					func(context.Context, string) (reconcile.Result, error) { return reconcile.Result{}, nil }))
				_ = d.Check(nil)
				o.NewQueue("test", o.RateLimiter).ShutDown()
				if _, err := o.Reconciler.Reconcile(t.Context(), "a"); err != nil || d.Stalled() != 0 {
					t.Errorf("%v; %d stand still", err, d.Stalled())
				}
			}
		})
	}
	workers.Wait()
}
