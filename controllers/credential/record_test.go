package credential

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	v1 "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/test/inmemory"
)

// minting gives another value, with a lease, at each read.
type minting struct {
	now  func() time.Time
	made int
}

func (m *minting) Read(context.Context, source.Request) (source.Snapshot, error) {
	m.made++
	id := string(rune('a' + m.made))
	value, err := dockerconfig.NewCredential("robot", id)
	if err != nil {
		return source.Snapshot{}, err
	}
	return source.Snapshot{
		Config: dockerconfig.Config{"r.example": value}, Revision: id, Minted: true, ReadTime: m.now(), ExpireTime: m.now().Add(time.Hour),
		Lease: &source.Lease{ID: id, Duration: time.Hour, Obtained: m.now()},
	}, nil
}

// kept is an API server that keeps records with versions, and whose answers can be lost after it did what it was asked.
type kept struct {
	stored *corev1.Secret
	writes int
	// lose is how many answers are lost, refuse how many writes fail.
	lose, refuse int
}

func (k *kept) client() *fake.Clientset {
	clientset := inmemory.Clientset()
	clientset.PrependReactor("*", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		resource := schema.GroupResource{Resource: "secrets"}
		switch action.GetVerb() {
		case "get":
			return true, k.stored.DeepCopy(), nil
		case "list":
			return true, &corev1.SecretList{}, nil
		}
		sent := action.(clienttesting.CreateAction).GetObject().(*corev1.Secret)
		if k.refuse > 0 {
			k.refuse--
			return true, nil, apierrors.NewInternalError(errors.New("webhook"))
		}
		switch {
		case action.GetVerb() == "create" && k.stored != nil:
			return true, nil, apierrors.NewAlreadyExists(resource, sent.Name)
		case action.GetVerb() == "update" && sent.ResourceVersion != k.stored.ResourceVersion:
			return true, nil, apierrors.NewConflict(resource, sent.Name, nil)
		}
		k.writes++
		k.stored = sent.DeepCopy()
		k.stored.ResourceVersion = string(rune('0' + k.writes))
		if k.lose > 0 {
			k.lose--
			return true, nil, apierrors.NewTimeoutError("http: "+http.StatusText(http.StatusGatewayTimeout), 0)
		}
		return true, k.stored.DeepCopy(), nil
	})
	return clientset
}

func TestAWriteOfTheRecordWhoseAnswerIsLostLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		kept kept
	}{
		{"every answer comes", kept{}},
		{"the first answer is lost", kept{lose: 1}},
		{"three answers are lost", kept{lose: 3}},
		{"three writes fail", kept{refuse: 3}},
		{"a write fails and the next answer is lost", kept{refuse: 1, lose: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			clock := func() time.Time { return now }
			mint := &minting{now: clock}
			store := records.NewStore(c.kept.client().CoreV1(), "regcred-system", func(string) {})
			told := events.NewFakeRecorder(100)
			board := delivered.NewBoard(func(string) {})
			r := &Reconciler{Store: store, Source: mint, Board: board, Now: clock, Events: announce.New(told), Metrics: telemetry.New(prometheus.NewRegistry())}
			object := &v1alpha1.RegistryCredential{}
			object.Name, object.UID = "company", "uid"
			object.Spec.Registries = []v1alpha1.Registry{"r.example"}
			memory := &memory{uid: "uid"}
			spec := &rotation.Spec{SpecHash: "spec", Place: "place", Mode: v1alpha1.VerifyDisabled, Refresh: time.Hour}
			for range 12 {
				one := &run{object: object, spec: spec, memory: memory}
				one.state = rotation.State{Kept: store.Get("company").Kept, Memory: memory.remembered}.Clone()
				one.recall()
				_ = r.work(t.Context(), one)
				now = now.Add(10 * time.Second)
			}
			if got := store.Get("company"); !got.Published() || got.Revision != "b" || mint.made != 1 || len(got.Obsolete) != 0 {
				t.Errorf("%d values were minted, %q is in use, and %d leases are to be given back", mint.made, got.Revision, len(got.Obsolete))
			}
			if got := len(told.Events); got != 1 {
				t.Errorf("people were told %d times that it is published", got)
			}
		})
	}
}

// Two controllers write into one Secret. Where the other one's answer is lost, the record is read again: that it looks different in memory is no
// reason to drop what waits to be written.
func TestWhatWaitsToBeWrittenIsNotDroppedBecauseTheRecordWasReadAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	server := kept{}
	store := records.NewStore(server.client().CoreV1(), "regcred-system", func(string) {})
	mint := &minting{now: func() time.Time { return now }}
	r := &Reconciler{Store: store, Source: mint, Now: mint.now, Board: delivered.NewBoard(func(string) {}), Metrics: telemetry.New(prometheus.NewRegistry())}
	object := &v1alpha1.RegistryCredential{}
	object.Name, object.UID = "company", "uid"
	memory := &memory{uid: "uid"}
	spec := &rotation.Spec{SpecHash: "spec", Place: "place", Mode: v1alpha1.VerifyDisabled, Refresh: time.Hour}
	pass := func() error {
		one := &run{object: object, spec: spec, memory: memory}
		one.state = rotation.State{Kept: store.Get("company").Kept, Memory: memory.remembered}.Clone()
		one.recall()
		return r.work(t.Context(), one)
	}
	if err := pass(); err != nil {
		t.Fatal(err)
	}
	now, server.refuse = now.Add(time.Hour), 1
	if err := pass(); err == nil || mint.made != 2 {
		t.Fatalf("%d values were minted, and the second was kept: %v", mint.made, err)
	}
	server.lose = 1
	for range 2 { // the answer to the first is lost
		_ = store.KeepRemovals(t.Context(), "company", removal.State{UID: "uid", Serial: 1})
	}
	if err := pass(); err != nil {
		t.Fatal(err)
	}
	if got := store.Get("company"); mint.made != 2 || got.Revision != "c" {
		t.Errorf("%d values were minted, and %q is in use", mint.made, got.Revision)
	}
}

// A RegistryCredential that was deleted and made again under its name would deliver the value of the one before, to whom that was not meant for.
func TestAnObjectThatWasMadeAgainHasNothingOfItsNamesake(t *testing.T) {
	p := newPasses(t)
	p.during(2 * time.Minute)
	p.Secrets, p.ServiceAccounts = anyName{}, anyName{}
	if one := p.begin(p.object); !one.state.Published() {
		t.Fatal("nothing is published")
	}
	again := p.object.DeepCopy()
	again.UID = "made again"
	if one := p.begin(again); one.state.Published() || len(one.state.Tests) > 0 {
		t.Errorf("it has revision %s of the object that was deleted", one.state.Revision)
	}
}

// keeping are the Secrets of an API server that has these records.
func keeping(t *testing.T, all ...records.Record) v1.SecretsGetter {
	t.Helper()
	clientset := inmemory.Clientset()
	version := 0
	clientset.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		version++
		action.(clienttesting.CreateAction).GetObject().(*corev1.Secret).ResourceVersion = fmt.Sprint(version) // as a server does
		return false, nil, nil
	})
	store := records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
	for _, one := range all {
		if err := store.Save(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	return clientset.CoreV1()
}
