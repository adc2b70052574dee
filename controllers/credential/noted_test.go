package credential

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/verify"
)

// A value in use that is refused is asked about again and again: people are told once, and each answer has its own time.
func TestThatTheRegistryRefusesTheValueInUseIsToldOnce(t *testing.T) {
	q := newQuestion(t)
	recorder := events.NewFakeRecorder(10)
	q.Events, q.Store = announce.New(recorder), records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
	q.run.state.Waiting = nil
	now, refuses, accepts := noon, verify.Answer{Verdict: verify.ValueRejected, Message: "401"}, verify.Answer{Verdict: verify.ValueAccepted, Proof: verify.ProvenByLogin}
	q.Now = func() time.Time { return now }
	for _, step := range []struct {
		says verify.Answer
		told int
	}{{refuses, 1}, {refuses, 0}, {accepts, 0}, {refuses, 1}} {
		now = now.Add(time.Hour)
		q.oracle.answer = step.says
		q.about(accountAt("one"))
		now = now.Add(20 * time.Second) // the registry took its time
		if err := q.takeAnswers(t.Context(), q.run); err != nil {
			t.Fatal(err)
		}
		if told := heardOf(recorder); len(told) != step.told || !q.run.state.Tests["one"].Time.Equal(now) {
			t.Errorf("at %s it says %+v: told %q, noted at %s", now, step.says, told, q.run.state.Tests["one"].Time)
		}
	}
}

// The answers to one question can be about both values: what is told of one knows of the other.
func TestWhatFollowsARefusalIsToldByTheAnswersThatCameWithIt(t *testing.T) {
	for words, says := range map[string]verify.Answer{
		"it accepts revision v2 of the source":      {Verdict: verify.ValueAccepted, Proof: verify.ProvenByLogin},
		"It refuses revision v2 of the source, too": {Verdict: verify.ValueRejected},
		"Revision v2 of the source is being tested": {Verdict: verify.ValueUnknown},
	} {
		q := newQuestion(t)
		recorder := events.NewFakeRecorder(10)
		q.Events, q.Store = announce.New(recorder), records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
		q.run.state.Waiting.SpecHash = q.run.spec.SpecHash
		q.oracle.answer = says
		q.oracle.answer.InUse, q.oracle.answer.InUseMessage = verify.ValueRejected, "it answers 401"
		q.about(accountAt("two"))
		if err := q.takeAnswers(t.Context(), q.run); err != nil {
			t.Fatal(err)
		}
		if told := heardOf(recorder); len(told) != 1 || !strings.Contains(told[0], "it answers 401; ") || !strings.Contains(told[0], words) {
			t.Errorf("told %q, want %q", told, words)
		}
	}
}

// Each doubt has a registry asked, and each time it is shown a password that it may refuse: a doubt of a minute ago is none now.
func TestAPodThatDoubtsAValueHasItTestedOnce(t *testing.T) {
	r, _ := reporting(t, 1, 1)
	now := noon
	r.Now = func() time.Time { return now }
	object := stored(t, r, "c-00")
	var doubted []time.Time
	for _, pod := range []string{"", "web", "", "side", ""} {
		if now = now.Add(time.Minute); pod != "" {
			r.Pods.Doubt(types.NamespacedName{Namespace: "n-00000", Name: pod}, podcounts.Value{Credential: "c-00", Digest: "d"})
		}
		one := r.begin(object)
		doubted = append(doubted, one.state.DoubtTime)
		one.remember()
	}
	first, second := noon.Add(2*time.Minute), noon.Add(4*time.Minute)
	if want := []time.Time{{}, first, first, second, second}; !slices.EqualFunc(doubted, want, time.Time.Equal) {
		t.Errorf("doubted at %s, want %s", doubted, want)
	}
}

// What is learnt for a state is of that state: a lease is given back once the value of a later one is everywhere, and not that of the one before.
func TestThatTheValueBeforeIsEverywhereSaysNothingOfTheNextOne(t *testing.T) {
	r, _ := reporting(t, 1, 1)
	one := r.begin(stored(t, r, "c-00"))
	if !one.state.Delivered {
		t.Fatal("the value in use is said not to be everywhere")
	}
	next := one.state.Clone()
	next.Revision, next.Digest = "2", "another"
	if r.learn(one, &next); next.Delivered {
		t.Error("a value that is nowhere yet is said to be everywhere: what it took the place of would be revoked")
	}
}

// releasing notes what is given back.
type releasing func(source.Lease)

func (f releasing) Release(_ context.Context, lease source.Lease) error {
	f(lease)
	return nil
}

func (releasing) Renew(_ context.Context, lease source.Lease) (source.Lease, error) {
	return lease, nil
}

// Nobody knows of the leases any more once the object is gone.
func TestLeasesAreGivenBackBeforeAnObjectIsLetGo(t *testing.T) {
	r, _ := reporting(t, 1, 1)
	object := stored(t, r, "c-00")
	object.Finalizers, object.Spec.DeletionPolicy = []string{v1alpha1.Finalizer, "theirs.example/x"}, v1alpha1.DeletionDelete
	if err := errors.Join(r.Client.Update(t.Context(), object), r.Client.Delete(t.Context(), object)); err != nil {
		t.Fatal(err)
	}
	memory, _ := r.memories.of(object, noon)
	memory.pending = &pending{next: rotation.Kept{Value: rotation.Value{Config: dockerconfig.Config{}, Lease: &source.Lease{ID: "a"}}}}
	var given []string
	r.Leases = releasing(func(lease source.Lease) {
		if given = append(given, lease.ID); !controllerutil.ContainsFinalizer(stored(t, r, "c-00"), v1alpha1.Finalizer) {
			t.Error("a process that dies now leaves the lease to its own end")
		}
	})
	if _, err := r.finish(t.Context(), stored(t, r, "c-00")); err != nil || !slices.Equal(given, []string{"a"}) {
		t.Errorf("given back %q, %v", given, err)
	}
}

// The event names what is in use from now on.
func TestAPublicationIsToldWithTheRevisionThatIsInUseNow(t *testing.T) {
	q := newQuestion(t)
	recorder := events.NewFakeRecorder(10)
	q.Events, q.Store = announce.New(recorder), records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
	q.run.state.Waiting.SpecHash = q.run.spec.SpecHash
	if err := q.publish(t.Context(), q.run, rotation.Judgement{Fate: rotation.PublishProven, Account: accountAt("two")}); err != nil {
		t.Fatal(err)
	}
	if told := heardOf(recorder); len(told) != 1 || !strings.Contains(told[0], "Published revision v2: ") {
		t.Errorf("told %q", told)
	}
}

// A change at the source that comes while it answers is seen by the next read, which is counted from when this one began.
func TestAReadCountsFromWhenItBegan(t *testing.T) {
	for name, fault := range map[string]error{"it gives a value": nil, "it gives none": &source.Error{Reason: v1alpha1.ReasonSealed, Message: "down"}} {
		q := newQuestion(t)
		q.Store = records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
		now := noon.Add(time.Hour)
		q.Now = func() time.Time { return now }
		q.Source = sourceFunc(func() (source.Snapshot, error) {
			now = now.Add(20 * time.Second)
			return source.Snapshot{Config: dockerconfig.Config{host: loginBy(t, "new")}, Revision: "v3", ReadTime: now}, fault
		})
		if err := q.read(t.Context(), q.run, rotation.CausePlan); err != nil {
			t.Fatal(err)
		}
		if got := q.run.state.Reads.Last; !got.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s: it counts from %s", name, got)
		}
	}
}
