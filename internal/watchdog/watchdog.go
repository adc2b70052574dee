// Package watchdog notices what stands still: controllers whose work waits and does not move, and watches that say nothing any more.
//
// A controller that stands still fails the liveness probe, because only a new process fixes a deadlock. Work that fails or is slow is
// no reason: a Vault that is down is not fixed by a restart. A silent watch is ended, and starts again where it was.
package watchdog

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Watchdog watches the controllers that were made with Controller. The zero value is ready.
type Watchdog struct {
	now func() time.Time // time.Now where it is nil

	// silent counts the watches that were ended because nothing came over them.
	silent atomic.Uint64

	mu      sync.Mutex
	watched []*pulse
	barked  bool
}

// Check says which controllers stand still. It is a healthz.Checker.
func (d *Watchdog) Check(*http.Request) error {
	err := errors.Join(d.still()...)
	d.bark(err)
	return err
}

// Stalled counts the controllers that stand still.
func (d *Watchdog) Stalled() int { return len(d.still()) }

// SilentWatches counts the watches that were ended since the start because nothing came over them.
func (d *Watchdog) SilentWatches() uint64 { return d.silent.Load() }

// still are the controllers that stand still, each as an error that says since when.
func (d *Watchdog) still() []error {
	d.mu.Lock()
	watched := d.watched // to which others add, and which nobody changes
	d.mu.Unlock()
	var still []error
	for _, one := range watched {
		if err := one.check(d.time()); err != nil {
			still = append(still, err)
		}
	}
	return still
}

// StacksKey is under which key of a line of the log the stacks of all goroutines are: they are the operator's own, and long.
const StacksKey = "goroutines"

// bark logs where every goroutine is when a controller is first seen to stand still: after the restart nobody can tell.
func (d *Watchdog) bark(err error) {
	d.mu.Lock()
	before := d.barked
	d.barked = err != nil
	d.mu.Unlock()
	if err == nil || before {
		return
	}
	var where bytes.Buffer
	if failed := pprof.Lookup("goroutine").WriteTo(&where, 1); failed != nil {
		err = errors.Join(err, failed)
	}
	ctrl.Log.Error(err, "A controller stands still: the liveness probe fails until it moves", StacksKey, where.String())
}

func (d *Watchdog) time() time.Time {
	if d == nil || d.now == nil {
		return time.Now()
	}
	return d.now()
}

func (d *Watchdog) watch(one *pulse) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watched = append(d.watched, one)
}

// pulse is what is known of one controller.
type pulse struct {
	name string

	mu sync.Mutex
	// waiting is the number of items that a worker could take now; nil until the controller starts, which a standby's does not.
	waiting func() int
	running map[any]time.Time
	// busy is since when work waits and no Reconcile returned; zero when no work was seen to wait.
	busy time.Time
}

// check fails when work waited for two timeouts and no Reconcile returned in that time, or when one runs for as long: its item is not
// served by anybody else. Reconciles that return, with or without error, keep a controller alive.
func (p *pulse) check(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		return nil
	}
	var stuck []string
	for item, since := range p.running {
		if now.Sub(since) >= 2*Timeout {
			stuck = append(stuck, fmt.Sprint(item))
		}
	}
	if len(stuck) > 0 {
		slices.Sort(stuck)
		return fmt.Errorf("controller %s: %s: runs for more than %s, and should end after %s", p.name, strings.Join(stuck, ", "), 2*Timeout, Timeout)
	}
	waiting := p.waiting()
	switch {
	case waiting == 0:
		p.busy = time.Time{}
	case p.busy.IsZero():
		p.busy = now
	case now.Sub(p.busy) >= 2*Timeout:
		return fmt.Errorf("controller %s: %d items wait, and none was worked on to its end for %s", p.name, waiting, now.Sub(p.busy).Round(time.Second))
	}
	return nil
}

func (p *pulse) begin(item any, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[item] = now
}

func (p *pulse) end(item any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, item)
	p.busy = time.Time{}
}
