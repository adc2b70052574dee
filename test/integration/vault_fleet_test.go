package integration

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/schedule"
	"regcred.dev/regcred/internal/source"
)

// fleet is many RegistryCredentials that are read when they are due, in simulated time, as their controller does.
type fleet struct {
	rig     *vaultRig
	period  time.Duration
	objects []fleetObject
	reads   int
}

type fleetObject struct {
	request  source.Request
	due      time.Time
	failures int       // in a row
	fresh    time.Time // when the value was asked for that it has; zero before the first
}

func newFleet(rig *vaultRig, objects int, place func(object int) v1alpha1.VaultSource) *fleet {
	f := &fleet{rig: rig, period: time.Minute}
	for i := range objects {
		f.objects = append(f.objects, fleetObject{request: vaultRequest(place(i), 0), due: rig.now().Add(rand.N(f.period))})
	}
	return f
}

// run lets time pass, reading whatever is due on the way, one after the other. It looks a second ahead at a time: a day of a
// thousand objects is millions of reads, and under the race detector a queue would cost as much as they do.
func (f *fleet) run(t *testing.T, d time.Duration) {
	t.Helper()
	second := f.rig.now()
	for end := second.Add(d); second.Before(end); {
		second = second.Add(time.Second)
		for _, next := range f.dueBefore(second) {
			f.read(t, next, f.waitUntil(next.due))
		}
		f.waitUntil(second)
	}
}

// dueBefore gives who is due, in order.
func (f *fleet) dueBefore(end time.Time) []*fleetObject {
	var due []*fleetObject
	for i := range f.objects {
		if object := &f.objects[i]; object.due.Before(end) {
			due = append(due, object)
		}
	}
	slices.SortFunc(due, func(a, b *fleetObject) int { return a.due.Compare(b.due) })
	return due
}

// waitUntil lets time pass until then, and returns the time.
func (f *fleet) waitUntil(then time.Time) time.Time {
	now := f.rig.now()
	if wait := then.Sub(now); wait > 0 {
		f.rig.pass(wait)
		return then
	}
	return now
}

// read reads for one object and says when it is due again.
func (f *fleet) read(t *testing.T, o *fleetObject, now time.Time) {
	o.request.MaxAge = min(schedule.Shared(f.period), now.Sub(o.fresh))
	snapshot, err := f.rig.manager.Read(t.Context(), o.request)
	f.reads++
	failure, now := source.AsError(err), f.rig.now()
	switch {
	case failure == nil:
		o.failures, o.fresh = 0, snapshot.ReadTime
		o.due = schedule.Next(schedule.LastRead{Time: snapshot.ReadTime}, f.period, rand.Float64())
	case failure.Stalled:
		t.Fatalf("%+v", failure)
	default:
		o.failures++
		o.due = schedule.AfterFailure(now, o.failures, failure.RetryAfter, rand.Float64())
	}
	if o.due.Before(now) {
		o.due = now.Add(schedule.MinPeriod)
	}
}

// stale counts those whose value was asked for before then.
func (f *fleet) stale(then time.Time) int {
	stale := 0
	for i := range f.objects {
		if f.objects[i].fresh.Before(then) {
			stale++
		}
	}
	return stale
}
