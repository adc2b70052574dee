package credential

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/inmemory"
)

// A plain hash of a short password could be guessed (docs/design/decisions.md, "What is published").
func TestEachRecordHasASaltOfItsOwnThatStays(t *testing.T) {
	one, other := served().run, served().run
	one.recall()
	other.recall()
	salt := slices.Clone(one.state.Salt)
	if len(salt) != 32 || string(salt) == string(other.state.Salt) || string(salt) == string(make([]byte, 32)) {
		t.Errorf("%x and %x", salt, other.state.Salt)
	}
	if one.recall(); string(one.state.Salt) != string(salt) {
		t.Error("it is another one in the next pass")
	}
}

func TestAValueIsWhatTheSourceGave(t *testing.T) {
	snapshot := source.Snapshot{
		Config: dockerconfig.Config{host: loginBy(t, "p")}, Revision: "v7", Version: 7, CreatedTime: noon, ReadTime: noon.Add(time.Minute),
		ExpireTime: noon.Add(time.Hour), RotateTime: noon.Add(2 * time.Hour), Minted: true, Lease: &source.Lease{ID: "a"},
	}
	got := valueOf(&rotation.Spec{SpecHash: "spec", Place: "place"}, []byte("salt"), snapshot)
	if got.Digest == "" || len(got.Accounts) != 1 || got.Config == nil {
		t.Errorf("it has no digest or no login: %+v", got.Accounts)
	}
	got.Config, got.Digest, got.Accounts = nil, "", nil
	want := rotation.Value{
		Revision: "v7", SpecHash: "spec", Place: "place", Written: rotation.Written{Version: 7, CreatedTime: noon}, ReadTime: noon.Add(time.Minute),
		ExpireTime: noon.Add(time.Hour), RotateTime: noon.Add(2 * time.Hour), Minted: true, Lease: snapshot.Lease,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if named := traced(&rotation.Value{Revision: "v7", Digest: "d"}); named.Revision != "v7" || named.Digest != "d" {
		t.Errorf("traces name it %+v", named)
	}
}

// What waits keeps its content only where it is the same value: another one under its name would be published for it.
func TestOnlyTheContentOfTheSameValueIsRecalled(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*rotation.Waiting)
		want   bool
	}{
		"the same":         {func(*rotation.Waiting) {}, true},
		"another digest":   {func(w *rotation.Waiting) { w.Digest = "other" }, false},
		"another revision": {func(w *rotation.Waiting) { w.Revision = "other" }, false},
	} {
		f := served()
		f.waits(rotation.Hold, "")
		known := *f.run.state.Waiting
		known.Config = dockerconfig.Config{host: loginBy(t, "p")}
		test.change(&known)
		f.run.memory.waiting = &known
		if f.run.recall(); (f.run.state.Waiting.Config != nil) != test.want {
			t.Errorf("%s: its content is recalled: %t", name, !test.want)
		}
	}
}

func TestWhatCannotBeReadIsToldAndNothingIsDone(t *testing.T) {
	away := errors.New("away")
	request := reconcile.Request{NamespacedName: client.ObjectKey{Name: "c-00"}}
	r, _ := reporting(t, 1, 1)
	c := before(r)
	r.Client = interceptor.NewClient(c.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return away
		},
	})
	if _, err := r.Reconcile(t.Context(), request); !errors.Is(err, away) || len(c.take()) > 0 {
		t.Errorf("the object cannot be read: %v", err)
	}
	clientset := inmemory.Clientset()
	clientset.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, away })
	r, _ = reporting(t, 1, 1)
	c = before(r)
	r.Store = records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
	if _, err := r.Reconcile(t.Context(), request); err == nil || len(c.take()) > 0 {
		t.Errorf("the records cannot be read: %v", err)
	}
}

// "Kept survives a restart. It is written before anything in it is acted on."
func TestNothingIsDoneWhereWhatWasFoundCannotBeKept(t *testing.T) {
	for name, begin := range map[string]func(p *passes, one *run){
		"times that a wrong clock noted": func(_ *passes, one *run) { one.corrected = true },
		"what a registry said": func(p *passes, _ *run) {
			p.tests.answers = map[string][]result{"company": {{uid: "uid", answered: answered{account: accountAt("one"), answer: rotation.Answer{Verdict: rotation.Rejected}}}}}
		},
	} {
		p := newPasses(t)
		p.server.refuse = 1000
		memory, nudge := p.memories.of(p.object, p.now)
		one := &run{object: p.object, spec: p.spec, memory: memory, nudge: nudge}
		one.recall()
		begin(p, one)
		if err := p.carryOn(t.Context(), one); err == nil || p.source.made > 0 {
			t.Errorf("%s: %d reads, %v", name, p.source.made, err)
		}
		if one.fault == nil || one.fault.reason != v1alpha1.ReasonRecordNotKept {
			t.Errorf("%s: it is not told: %+v", name, one.fault)
		}
	}
}

func TestOfSeveralThingsThatAreNotKnownTheFirstIsTold(t *testing.T) {
	f := served()
	f.cannot(t.Context(), "one thing is not known", errors.New("away"))
	f.cannot(t.Context(), "another thing is not known", errors.New("away"))
	if !f.unknown || f.run.fault == nil || !strings.HasPrefix(f.run.fault.message, "one thing") || f.run.fault.reason != v1alpha1.ReasonClusterUnavailable {
		t.Errorf("%+v", f.run.fault)
	}
}

func TestATargetWithoutASelectorNamesNoLabels(t *testing.T) {
	if said := noNamespaces(&v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"gone"}}); strings.Contains(said, "labels ") && strings.Contains(said, "(") {
		t.Errorf("%s", said)
	}
}

func TestOfNewsTheTimeGoesNoWayBackAndTheStateStays(t *testing.T) {
	n := nudge{told: source.News{Time: noon, State: "state"}}
	n.noteTold(source.News{Time: noon.Add(-time.Minute)})
	if !n.told.Time.Equal(noon) || n.told.State != "state" {
		t.Errorf("%+v", n.told)
	}
	n.noteTold(source.News{Time: noon.Add(time.Minute), State: "next"})
	if !n.told.Time.Equal(noon.Add(time.Minute)) || n.told.State != "next" {
		t.Errorf("%+v", n.told)
	}
}
