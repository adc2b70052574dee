package credential

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/telemetry"
)

// leasing gives another value at each read, with a lease of an hour that it prolongs for ever, and notes when.
type leasing struct {
	minting
	ends    map[string]time.Time
	tried   int
	renewed []time.Time
	// fails has renewals fail.
	fails bool
}

func (l *leasing) Read(ctx context.Context, request source.Request) (source.Snapshot, error) {
	snapshot, err := l.minting.Read(ctx, request)
	if err != nil {
		return snapshot, err
	}
	snapshot.Lease.Renewable, snapshot.Lease.Term = true, time.Hour
	l.ends[snapshot.Lease.ID] = snapshot.Lease.End()
	return snapshot, nil
}

func (l *leasing) Renew(_ context.Context, lease source.Lease) (source.Lease, error) {
	l.tried++
	if l.fails {
		return source.Lease{}, errors.New("down")
	}
	if !l.now().Before(l.ends[lease.ID]) {
		return source.Lease{}, source.ErrNotRenewable
	}
	l.renewed = append(l.renewed, l.now())
	lease.Obtained, lease.Duration = l.now(), time.Hour
	l.ends[lease.ID] = lease.End()
	return lease, nil
}

func (l *leasing) Release(_ context.Context, lease source.Lease) error {
	delete(l.ends, lease.ID)
	return nil
}

// passes is a controller before an API server that keeps records, a source with leases and a clock. Its passes have no cluster.
type passes struct {
	*Reconciler
	t      *testing.T
	server *kept
	source *leasing
	now    time.Time
	object *v1alpha1.RegistryCredential
	spec   *rotation.Spec
}

func newPasses(t *testing.T) *passes {
	t.Helper()
	p := &passes{t: t, server: &kept{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), object: &v1alpha1.RegistryCredential{}}
	p.object.Name, p.object.UID = "company", "uid"
	p.object.Spec.Registries = []v1alpha1.Registry{"r.example"}
	p.source = &leasing{minting: minting{now: func() time.Time { return p.now }}, ends: map[string]time.Time{}}
	p.Reconciler = &Reconciler{
		Store: records.NewStore(p.server.client().CoreV1(), "regcred-system", func(string) {}), Source: p.source, Leases: p.source,
		Board: delivered.NewBoard(func(string) {}), Now: p.source.now, Events: announce.New(events.NewFakeRecorder(1000)),
		Metrics: telemetry.New(prometheus.NewRegistry()), Pods: podcounts.New(func(string) {}),
	}
	p.spec = &rotation.Spec{SpecHash: "spec", Place: "place", Mode: v1alpha1.VerifyDisabled, Refresh: time.Hour, Verify: time.Hour}
	return p
}

// pass is one of the controller.
func (p *passes) pass() error {
	memory, nudge := p.memories.of(p.object, p.now)
	one := &run{object: p.object, spec: p.spec, memory: memory, nudge: nudge}
	one.state = rotation.State{Kept: p.Store.Get("company").Kept, Memory: memory.remembered}.Clone()
	one.recall()
	p.learn(one, &one.state)
	return p.work(p.t.Context(), one)
}

// during makes a pass each minute.
func (p *passes) during(span time.Duration) {
	for end := p.now.Add(span); p.now.Before(end); p.now = p.now.Add(time.Minute) {
		_ = p.pass()
	}
}

// Something refuses the operator's Secrets for hours. A lease is prolonged in Vault, and nothing of that has to be kept first.
func TestALeaseIsProlongedThoughTheRecordCannotBeWritten(t *testing.T) {
	p := newPasses(t)
	p.during(10 * time.Minute)
	lease := p.Store.Get("company").Lease
	p.server.refuse = 100_000
	p.during(6 * time.Hour)
	if left := p.source.ends[lease.ID].Sub(p.now); p.source.made != 1 || left <= 0 || len(p.source.renewed) < 5 || len(p.source.renewed) > 40 {
		t.Errorf("after 6 hours in which nothing could be written %d values were made, and the lease in use ends %s from now after %d renewals", p.source.made, left, len(p.source.renewed))
	}
	p.server.refuse = 0
	p.during(2 * time.Hour)
	known := p.Store.Get("company")
	if p.source.made != 1 || known.Lease.ID != lease.ID || !known.Lease.End().Equal(p.source.ends[lease.ID]) {
		t.Errorf("%d values were made; the record says that %s ends at %s, and it does at %s", p.source.made, known.Lease.ID, known.Lease.End(), p.source.ends[lease.ID])
	}
}

// What could not be written waits. A value that was made before that is published as soon as it can be, with the lease that it has by then.
func TestALeaseThatWaitsForTheRecordIsProlonged(t *testing.T) {
	p := newPasses(t)
	p.server.refuse = 100_000
	p.during(5 * time.Hour)
	if p.source.made != 1 {
		t.Fatalf("%d values were made", p.source.made)
	}
	p.server.refuse = 0
	p.during(10 * time.Minute)
	known := p.Store.Get("company")
	if !known.Published() || p.source.made != 1 || !known.Lease.End().After(p.now) || !known.Lease.End().Equal(p.source.ends[known.Lease.ID]) {
		t.Errorf("published %t, %d values were made, the lease is %+v", known.Published(), p.source.made, known.Lease)
	}
}

// told is whether the source is read now because of news.
func (p *passes) told() bool {
	memory, nudge := p.memories.of(p.object, p.now)
	one := &run{object: p.object, spec: p.spec, memory: memory, nudge: nudge}
	one.state = rotation.State{Kept: p.Store.Get("company").Kept, Memory: memory.remembered}.Clone()
	p.learn(one, &one.state)
	step := rotation.Next(p.spec, &one.state, p.now)
	return step.Do == rotation.Read && step.Cause == rotation.CauseTold
}

// plainly has the source give the same value at each read.
type plainly struct{ *passes }

func (s plainly) Read(ctx context.Context, request source.Request) (source.Snapshot, error) {
	snapshot, err := s.passes.source.minting.Read(ctx, request)
	snapshot.Minted, snapshot.Lease, snapshot.ExpireTime = false, nil, time.Time{}
	return snapshot, err
}

func TestNewsThatWereNotReadYetAreNotPutOffByALookThatIsPlanned(t *testing.T) {
	p := newPasses(t)
	p.Source = plainly{p}
	if err := p.pass(); err != nil {
		t.Fatal(err)
	}
	p.now = p.now.Add(time.Minute)
	p.memories.tell("company", source.News{Time: p.now, State: "of the event"}, p.now)
	p.now = p.now.Add(100 * time.Millisecond)
	p.memories.tell("company", source.News{Time: p.now.Add(12 * time.Second)}, p.now) // the socket broke, and another one is open
	p.now = p.now.Add(100 * time.Millisecond)
	p.memories.tell("company", source.News{Time: p.now.Add(20 * time.Second)}, p.now)
	if !p.told() {
		t.Error("the event is not read at once")
	}
	if _, nudge := p.memories.of(p.object, p.now); nudge.told.State != "of the event" {
		t.Errorf("it is read in the state %q", nudge.told.State)
	}
	if err := p.pass(); err != nil {
		t.Fatal(err)
	}
	if p.now = p.now.Add(11 * time.Second); p.told() {
		t.Error("the look comes before its time")
	}
	if p.now = p.now.Add(time.Second); !p.told() {
		t.Error("the first look that was planned does not come")
	}
	if err := p.pass(); err != nil {
		t.Fatal(err)
	}
	if p.now = p.now.Add(7 * time.Second); p.told() {
		t.Error("the second look comes before its time")
	}
	if p.now = p.now.Add(2 * time.Second); !p.told() {
		t.Error("the second look does not come: something may be missed after the first")
	}
	if err := p.pass(); err != nil {
		t.Fatal(err)
	}
	if p.now = p.now.Add(time.Hour / 2); p.told() {
		t.Error("what was read is read again")
	}
}

// Another replica led, whose clock was six hours ahead. What it noted counts from the moment at which this one first sees it, and not anew
// at each pass.
func TestWhatAnotherReplicaNotedAheadOfTimeCountsFromWhenThisOneLeads(t *testing.T) {
	for _, renewable := range []bool{true, false} {
		p := newPasses(t)
		if err := p.pass(); err != nil {
			t.Fatal(err)
		}
		known, ahead := p.Store.Get("company"), 6*time.Hour
		lease := *known.Lease
		lease.Obtained, lease.Renewable = lease.Obtained.Add(ahead), renewable
		known.Lease, known.ReadTime, known.ExpireTime, known.ChangeTime = &lease, known.ReadTime.Add(ahead), known.ExpireTime.Add(ahead), known.ChangeTime.Add(ahead)
		if err := p.Store.Save(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		p.memories = memories{}
		p.during(55 * time.Minute)
		if renewed, made := len(p.source.renewed), p.source.made; renewed+made != 2 || renewable != (renewed == 1) {
			t.Errorf("renewable %t: of an hour, 55 minutes have passed: %d renewals, %d values were made", renewable, renewed, made)
		}
	}
}

// Nobody in the cluster has a credential of which no entry is left: its leases can last for a month.
func TestADeletionThatRemovesAllEntriesGivesTheLeasesBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  v1alpha1.DeletionPolicy
		holding int
		left    int
	}{
		{"no entry is left", v1alpha1.DeletionDelete, 0, 0},
		{"an entry is left", v1alpha1.DeletionDelete, 1, 2},
		{"the entries stay", v1alpha1.DeletionRetain, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, now := newPasses(t), metav1.Now()
			p.during(2 * time.Minute)
			cluster, object := reporting(t, 1, 1)
			object.Spec.DeletionPolicy, object.DeletionTimestamp, object.Finalizers = c.policy, &now, []string{v1alpha1.Finalizer}
			known := p.Store.Get("company")
			known.Credential, known.UID = object.Name, object.UID
			before := *known.Lease
			before.ID = "before"
			known.Obsolete, p.source.ends["before"] = []rotation.Lease{{Lease: before, Since: p.now}}, before.End()
			letGo := false
			p.Client = interceptor.NewClient(cluster.Client.(client.WithWatch), interceptor.Funcs{
				Patch: func(_ context.Context, _ client.WithWatch, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
					letGo = !controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
					return nil
				},
			})
			p.Store = records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
			p.Removal = func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) {
				return delivered.Removal{Holding: c.holding}, nil
			}
			if err := p.Store.Save(t.Context(), known); err != nil {
				t.Fatal(err)
			}
			result, _ := p.finish(t.Context(), object) // the cluster of this test knows no such object in deletion
			if waits := c.holding > 0; letGo == waits || (result.RequeueAfter > 0) != waits {
				t.Errorf("%d namespaces hold entries, the object is let go: %t, and it is looked at again after %s", c.holding, letGo, result.RequeueAfter)
			}
			if len(p.source.ends) != c.left {
				t.Errorf("%d leases live, want %d", len(p.source.ends), c.left)
			}
		})
	}
}

// What is exchanged is another login at each read. An older version of its keys is told of once.
func TestAnOlderAnswerThatIsAnotherValueEachTimeIsToldOfOnce(t *testing.T) {
	p := newPasses(t)
	told := events.NewFakeRecorder(1000)
	p.Events = announce.New(told)
	one := &run{object: p.object, spec: p.spec, memory: &memory{}}
	for n := range 5 {
		value := rotation.Value{Minted: true, Digest: string(rune('a' + n)), Written: rotation.Written{Version: 4, CreatedTime: p.now}}
		one.state.Older = &rotation.Older{Value: value, Since: p.now, Reads: 2 + n}
		p.tellOfWaiting(one)
	}
	if got := len(told.Events); got != 1 {
		t.Errorf("it is told of %d times", got)
	}
}

// Another replica led for a moment and wrote another value. What this one had made and could not write is of no use any more.
func TestTheLeaseOfWhatSomebodyElseWroteOverIsGivenBack(t *testing.T) {
	p := newPasses(t)
	p.during(2 * time.Minute)
	mine := p.Store.Get("company").Lease.ID
	p.spec.RefreshRequest, p.server.refuse = "another", 1
	if err := p.pass(); err == nil || p.source.made != 2 {
		t.Fatalf("%d values were made, and the second was written: %v", p.source.made, err)
	}
	other := records.NewStore(p.server.client().CoreV1(), "regcred-system", func(string) {})
	theirs := p.Store.Get("company")
	lease := *theirs.Lease
	lease.ID = "theirs"
	theirs.Lease, theirs.Revision, theirs.Digest = &lease, "theirs", "theirs"
	p.source.ends["theirs"] = lease.End()
	_ = other.Save(t.Context(), theirs) // it sees that there is a record
	if err := other.Save(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	p.spec.RefreshRequest = ""
	p.during(3 * time.Minute)
	if known := p.Store.Get("company"); known.Lease.ID != "theirs" {
		t.Fatalf("in use is %s", known.Lease.ID)
	}
	if _, lives := p.source.ends["theirs"]; !lives || len(p.source.ends) != 1 {
		t.Errorf("these leases live: %v; this process had %s before", p.source.ends, mine)
	}
}

// What was made and could not be written is in no record. A deletion comes before the next try.
func TestADeletionGivesBackWhatCouldNotBeWritten(t *testing.T) {
	p, now := newPasses(t), metav1.Now()
	p.during(2 * time.Minute)
	cluster, object := reporting(t, 1, 1)
	object.Name, object.UID = p.object.Name, p.object.UID
	object.Spec.DeletionPolicy, object.DeletionTimestamp, object.Finalizers = v1alpha1.DeletionDelete, &now, []string{v1alpha1.Finalizer}
	p.Client = cluster.Client
	p.Removal = func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) {
		return delivered.Removal{}, nil
	}
	p.spec.RefreshRequest, p.server.refuse = "another", 1
	if err := p.pass(); err == nil || len(p.source.ends) != 2 {
		t.Fatalf("%d leases live, and the second was written: %v", len(p.source.ends), err)
	}
	_, _ = p.finish(t.Context(), object) // the cluster of this test knows no such object in deletion
	if len(p.source.ends) != 0 {
		t.Errorf("%d leases live", len(p.source.ends))
	}
}
