package attachment

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
)

// unlisted is a cluster whose RegistryCredentials cannot be listed: taken for none, the index would be emptied.
type unlisted struct {
	client.Reader
	err error
}

func (u unlisted) List(context.Context, client.ObjectList, ...client.ListOption) error { return u.err }

func TestTheIndexIsLeftAloneWhereNobodyCanSayWhatBelongsIntoIt(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := r.pass(t); err != nil {
		t.Fatal(err)
	}
	r.reads, r.writes = 0, 0
	r.Cluster = unlisted{r.Cluster, errors.New("away")}
	if _, err := r.pass(t); err == nil || r.writes > 0 || r.reads > 0 {
		t.Errorf("%d reads, %d writes: %v", r.reads, r.writes, err)
	}
}

func TestWhereNobodyAsksNothingIsLookedAtAgain(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachServiceAccounts))
	for range 2 {
		if result, err := r.pass(t); err != nil || result.RequeueAfter != 0 {
			t.Fatalf("again after %s: %v", result.RequeueAfter, err)
		}
	}
	if r.reads != 1 || r.writes != 0 {
		t.Errorf("%d reads and %d writes: an index that is not there is not made for nothing", r.reads, r.writes)
	}
}

func TestWhatWasLeftInTheIndexIsTakenOutOnceTheRoleIsBack(t *testing.T) {
	r := &Reconciler{left: &v1alpha1.InjectionIndex{}}
	if result := r.unasked(); result.RequeueAfter != 0 || !r.clean.Load() {
		t.Errorf("nothing is left in it, and it is looked at again after %s", result.RequeueAfter)
	}
	r = &Reconciler{left: &v1alpha1.InjectionIndex{Spec: v1alpha1.InjectionIndexSpec{Secrets: []v1alpha1.InjectedSecret{{Name: "regcred"}}}}}
	if result := r.unasked(); result.RequeueAfter != again || r.clean.Load() {
		t.Errorf("something is left in it, and it is looked at again after %s", result.RequeueAfter)
	}
	r = &Reconciler{}
	if result := r.unasked(); result.RequeueAfter != 0 || !r.clean.Load() {
		t.Errorf("whoever never asked is looked at again after %s", result.RequeueAfter)
	}
}

func TestWhatIsSaidOfAnIndexThatCannotBeWritten(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		next string
	}{
		"no role":             {apierrors.NewForbidden(indexes, "regcred", errors.New("no")), injection.Install},
		"no kind":             {&meta.NoKindMatchError{}, injection.Install},
		"the server is away":  {errors.New("away"), "it is tried again"},
		"somebody was faster": {apierrors.NewConflict(indexes, "regcred", errors.New("it changed")), "it is tried again"},
	} {
		if got := unwritten(test.err); !strings.HasSuffix(got.Error(), test.next) || !errors.Is(got, test.err) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestThoseWithoutRoomAreCountedApart(t *testing.T) {
	m := &told{}
	r := &Reconciler{Metrics: m}
	r.tell(injection.Content{Bytes: 7, Served: map[types.UID]injection.Entry{"a": {Name: "a"}, "b": {Name: "b"}, "c": {Name: "c", Left: true}}})
	if m.bytes != 7 || m.credentials != 2 || m.leftOut != 1 {
		t.Errorf("%+v", m)
	}
}

// Another one of the same content served nobody while it was not there.
func TestAnIndexThatSomebodyMadeAgainServesSinceThen(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := r.pass(t); err != nil {
		t.Fatal(err)
	}
	content := r.left.Spec
	r.left.UID = "the one that is gone"
	if interrupted, err := r.write(t.Context(), content, nil); err != nil || !interrupted {
		t.Errorf("it is the same, and another one: interrupted is %t, %v", interrupted, err)
	}
	if interrupted, err := r.write(t.Context(), content, nil); err != nil || interrupted {
		t.Errorf("it is as it was left: interrupted is %t, %v", interrupted, err)
	}
	if r.writes != 1 {
		t.Errorf("%d writes, and it is right", r.writes)
	}
}

func TestAWriteThatIsRefusedIsTold(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	r.refuses = errors.New("away")
	if _, err := r.pass(t); !errors.Is(err, r.refuses) {
		t.Errorf("%v", err)
	}
	if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); state.Standing() {
		t.Errorf("%+v", state)
	}
}

func TestWhoAsksAfterAWhileIsServed(t *testing.T) {
	r := newRig(t)
	if _, err := r.pass(t); err != nil || !r.clean.Load() {
		t.Fatal(err)
	}
	if err := r.Writer.Create(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	if result, err := r.pass(t); err != nil || result.RequeueAfter != again || r.secrets(t) != 1 || r.clean.Load() {
		t.Errorf("%v, %v", result, err)
	}
}

// What is left out of an apply stays where somebody else wrote it: pods would name a Secret for ever.
func TestAnIndexIsEmptiedByNameAndNotByLeavingOut(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := r.pass(t); err != nil {
		t.Fatal(err)
	}
	if err := r.Writer.Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	var sent string
	r.Writer = interceptor.NewClient(r.Cluster.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			content, err := json.Marshal(object)
			sent = string(content)
			return errors.Join(err, c.Apply(ctx, object, options...))
		},
	})
	if _, err := r.pass(t); err != nil || !strings.Contains(sent, `"spec":{"secrets":[]}`) {
		t.Errorf("%s, %v", sent, err)
	}
}

func TestBeforeTheFirstPassEachVersionOfTheIndexIsForeign(t *testing.T) {
	r := &Reconciler{}
	if !r.isForeign(watch.Event{Type: watch.Added, Object: version("7")}) || r.isForeign(watch.Event{Type: watch.Bookmark, Object: version("7")}) {
		t.Error("it is taken for our own, or a bookmark for a version")
	}
}

// Whoever else wrote into the index, what it must hold is the operator's: pods would miss the Secret else.
func TestTheIndexIsAppliedByTheOperatorAndByForce(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	var sent client.ApplyOptions
	r.Writer = interceptor.NewClient(r.Cluster.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			sent.ApplyOptions(options)
			return c.Apply(ctx, object, options...)
		},
	})
	if _, err := r.pass(t); err != nil || sent.FieldManager != v1alpha1.FieldManager || sent.Force == nil || !*sent.Force {
		t.Errorf("%+v, %v", sent, err)
	}
}
