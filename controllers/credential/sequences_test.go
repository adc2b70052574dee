package credential

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/test/inmemory"
)

// A request that is written in a way that a status does not repeat must not be a new one to each process: each request counts as a
// person's word that an older answer is true, and has a Dynamic credential minted.
func TestARequestThatWasAnsweredIsNotMadeAgainByARestart(t *testing.T) {
	for _, request := range []string{"2026-03-01T12:00:00Z", strings.Repeat("x", 300), "now\x1b[31m\n", "\x00"} {
		object := &v1alpha1.RegistryCredential{}
		object.Name, object.UID = "company", "uid"
		object.Annotations = map[string]string{v1alpha1.RefreshRequestedAtAnnotation: request}
		answered := &facts{run: &run{object: object, spec: rotation.SpecOf(object), memory: &memory{}}}
		answered.run.state.Reads.Request = answered.run.spec.RefreshRequest
		object.Status = *answered.status(&object.Status, time.Now())

		var after memories
		remembered, _ := after.of(object, time.Now())
		if spec := rotation.SpecOf(object); remembered.remembered.Reads.Request != spec.RefreshRequest {
			t.Errorf("%.20q was answered as %.20q and counts as %.20q after a restart", request, remembered.remembered.Reads.Request, spec.RefreshRequest)
		}
	}
}

// The same password under another version of the source is the same value: whoever asks whether it may be revoked means the password.
func TestANamespaceThatHasTheOldPasswordUnderAnEarlierVersionCounts(t *testing.T) {
	one := &run{object: &v1alpha1.RegistryCredential{}, spec: &rotation.Spec{}, memory: &memory{}}
	one.state.Value = rotation.Value{Config: dockerconfig.Config{}, Revision: "3-c", Digest: "new"}
	one.state.Previous = &rotation.Previous{Value: rotation.Value{Revision: "2-b", Digest: "old"}}
	for _, c := range []struct {
		name    string
		holding map[delivered.Version]int
		want    int
	}{
		{"under the version that was replaced", map[delivered.Version]int{{Revision: "2-b", Digest: "old"}: 2}, 2},
		{"under the version before that", map[delivered.Version]int{{Revision: "1-a", Digest: "old"}: 1, {Revision: "2-b", Digest: "old"}: 2}, 3},
		{"in a Secret that an earlier version wrote", map[delivered.Version]int{{Revision: "2-b"}: 1}, 1},
		{"another value", map[delivered.Version]int{{Revision: "3-c", Digest: "new"}: 5, {Revision: "0-z"}: 1, {Revision: "2-b", Digest: "other"}: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &facts{run: one, summary: delivered.Summary{Holding: c.holding}}
			if got := f.holdingPrevious(); got != c.want {
				t.Errorf("%d namespaces have it, want %d", got, c.want)
			}
		})
	}
}

// Namespaces that wait for the confirmation of a removal are rotated like any other: the lease of what they have is not given back before.
func TestAValueIsNotEverywhereWhileANamespaceThatIsNotSelectedHasTheOneBefore(t *testing.T) {
	board := delivered.NewBoard(func(string) {})
	object := &v1alpha1.RegistryCredential{}
	object.Name, object.Generation, object.Spec.Target.SecretName = "company", 2, "regcred"
	r := &Reconciler{Board: board}
	one := &run{object: object, spec: &rotation.Spec{}, memory: &memory{}}
	one.state.Value = rotation.Value{Config: dockerconfig.Config{}, Revision: "2-b", Digest: "new"}
	place := delivered.Place{Namespace: "shop", Name: "regcred"}
	board.Select("company", "regcred", 1, []string{"shop"})
	board.Post(place, map[string]delivered.Delivery{"company": {Selected: true, Observed: 1, Generation: 1, Version: delivered.Version{Revision: "1-a", Digest: "old"}}})
	board.Select("company", "regcred", 2, nil)
	if r.delivered(object, &one.state) {
		t.Error("a namespace that waits for the confirmation of a removal has the value before, and the new one is everywhere")
	}
	board.Post(place, map[string]delivered.Delivery{"company": {Observed: 2, Version: delivered.Version{Revision: "2-b", Digest: "new"}}})
	if !r.delivered(object, &one.state) {
		t.Error("it was rotated, and the new value is not everywhere")
	}
}

// A namespace that has nothing yet lacks the value, as does one of which it is not known whether it is selected: the lease of the value before
// is not given back, and nobody is told that it is everywhere.
func TestAValueIsNotEverywhereWhileASelectedNamespaceLacksIt(t *testing.T) {
	board := delivered.NewBoard(func(string) {})
	object := &v1alpha1.RegistryCredential{}
	object.Name, object.Generation, object.Spec.Target.SecretName = "company", 2, "regcred"
	r, state := &Reconciler{Board: board}, &rotation.State{}
	value := delivered.Version{Revision: "2-b", Digest: "new"}
	state.Value = rotation.Value{Config: dockerconfig.Config{}, Revision: value.Revision, Digest: value.Digest}
	place := delivered.Place{Namespace: "shop", Name: "regcred"}
	expect := func(when string, want bool) {
		t.Helper()
		if got := r.delivered(object, state); got != want {
			t.Errorf("%s: it is everywhere is %t", when, got)
		}
	}
	expect("nobody knows who is selected", false)
	board.Select("company", "regcred", 2, []string{"shop"})
	expect("the namespace was not looked at", false)
	board.Post(place, map[string]delivered.Delivery{"company": {Selected: true, Observed: 2, Generation: 2, Reason: v1alpha1.ReasonWriteFailed}})
	expect("the Secret could not be made", false)
	board.Post(place, map[string]delivered.Delivery{"company": {Selected: true, Observed: 2, Generation: 2, Version: value}})
	expect("the Secret is there", true)
	object.Generation = 3
	expect("the spec changed since", false)
}

func TestWhatARegistrySaysOfAnObjectThatIsGoneIsForgotten(t *testing.T) {
	r := &Reconciler{Store: records.NewStore(inmemory.Clientset().CoreV1(), "regcred-system", func(string) {}), Pods: podcounts.New(func(string) {}), Metrics: telemetry.New(prometheus.NewRegistry())}
	r.tests.note(job{credential: "company", uid: "gone"}, []answered{{}})
	if err := r.forget(t.Context(), "company"); err != nil {
		t.Fatal(err)
	}
	if left := len(r.tests.answers); left != 0 {
		t.Errorf("%d objects that are gone have answers", left)
	}
}

// A pod tells of a refusal once. The registry is asked half a minute after the last test at the earliest, and until then nothing is written.
func TestADoubtOutlivesAPassThatWritesNothing(t *testing.T) {
	r, object := reporting(t, 1, 1)
	r.Pods.Doubt(types.NamespacedName{Namespace: "n-00000", Name: "web"}, podcounts.Value{Credential: object.Name, Digest: "d"})
	doubted := r.begin(object).state.DoubtTime
	if doubted.IsZero() {
		t.Fatal("nobody doubts")
	}
	if got := r.begin(object).state.DoubtTime; !got.Equal(doubted) {
		t.Errorf("in the next pass the doubt is of %s, want %s", got, doubted)
	}
}

func TestADoubtOutlivesARecordThatCannotBeWritten(t *testing.T) {
	r, object := reporting(t, 1, 1)
	record := r.Store.Get(object.Name)
	r.Store = records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
	if err := r.Store.Save(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	one := r.begin(object)
	next := one.state.Clone()
	next.Fruitless = 7
	one.memory.pending = &pending{base: r.Store.Get(object.Name), next: next.Kept}
	r.Pods.Doubt(types.NamespacedName{Namespace: "n-00000", Name: "web"}, podcounts.Value{Credential: object.Name, Digest: "d"})
	one = r.begin(object)
	if err := r.keepPending(t.Context(), one); err != nil || one.state.Fruitless != 7 {
		t.Fatalf("it is not written: %v", err)
	}
	if one.state.DoubtTime.IsZero() || !one.state.Delivered {
		t.Errorf("the doubt is of %s, and the value is everywhere: %t", one.state.DoubtTime, one.state.Delivered)
	}
}

// A request is answered once what it had read is kept: a process that ends before that has lost it.
func TestARequestIsNotAnsweredWhileWhatItHadReadIsNotKept(t *testing.T) {
	f := served()
	f.run.state.Reads.Request, f.run.spec.RefreshRequest = "now", "now"
	before := &v1alpha1.RegistryCredentialStatus{LastHandledRefresh: "earlier"}
	if got := f.status(before, noon).LastHandledRefresh; got != "now" {
		t.Errorf("it is %q", got)
	}
	f.run.memory.pending = &pending{}
	if got := f.status(before, noon).LastHandledRefresh; got != "earlier" {
		t.Errorf("it is %q, and nothing is kept", got)
	}
}

// The record cannot be written before a registry is asked: what is known of a value that waits is said all the same.
func TestAPassThatFailsForgetsNothingOfAValueThatWaits(t *testing.T) {
	r, object := reporting(t, 1, 1)
	object.Spec.Verification.Mode = v1alpha1.VerifyPull
	r.Asker, r.Images = nil, nil
	one := r.begin(object)
	one.state.Value.SpecHash = one.spec.SpecHash
	refused := accountAt("two")
	one.state.Waiting = &rotation.Waiting{Value: rotation.Value{
		Config: one.state.Config, Revision: "2", Digest: "two", SpecHash: one.spec.SpecHash, Accounts: []rotation.Account{refused}}, FirstSeen: r.Now()}
	one.state.NoteAnswer(refused, one.spec.Question(refused), rotation.Answer{Verdict: rotation.Rejected, Message: "it answers 401"}, r.Now())
	one.state.Reads.Last, one.state.Reads.ReadTime, one.state.Reads.SpecHash = r.Now(), r.Now(), one.spec.SpecHash
	clientset := inmemory.Clientset()
	clientset.PrependReactor("*", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("webhook")
	})
	r.Store = records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
	if err := r.work(t.Context(), one); err == nil {
		t.Fatal("the record was written")
	}
	if one.judgement.Fate != rotation.Refuse {
		t.Errorf("the value that waits counts as %q", one.judgement.Fate)
	}
}
