package attachment

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/test/inmemory"
)

// rig counts what is sent for the index.
type rig struct {
	Reconciler
	reads, writes int
	// lists counts what is read past the cache of RegistryCredentials, and unlisted is what that is answered with.
	lists    int
	unlisted error
	// fails is what reads are answered with, refuses what writes are.
	fails, refuses error
}

var indexes = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "injectionindexes"}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	r := &rig{}
	cluster := inmemory.Cluster().WithReturnManagedFields().WithObjects(objects...).Build()
	r.Cluster, r.Book = cluster, injection.NewBook(func(string, bool) {})
	r.Writer = interceptor.NewClient(cluster, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			r.reads++
			if r.fails != nil {
				return r.fails
			}
			return c.Get(ctx, key, object, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if r.lists++; r.unlisted != nil {
				return r.unlisted
			}
			return c.List(ctx, list, options...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			r.writes++
			if r.refuses != nil {
				return r.refuses
			}
			return c.Apply(ctx, object, options...)
		},
	})
	return r
}

func (r *rig) pass(t *testing.T) (ctrl.Result, error) {
	t.Helper()
	return r.Reconcile(t.Context(), ctrl.Request{})
}

func (r *rig) secrets(t *testing.T) int {
	t.Helper()
	var index v1alpha1.InjectionIndex
	if err := r.Cluster.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index); err != nil {
		t.Fatal(err)
	}
	return len(index.Spec.Secrets)
}

func credential(attach v1alpha1.AttachMode) *v1alpha1.RegistryCredential {
	c := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "u", Generation: 1}}
	c.Spec.Target = v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"shop"}, Attach: attach}
	return c
}

func TestTheIndexIsWrittenOnceForAChange(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	for range 3 {
		if result, err := r.pass(t); err != nil || result.RequeueAfter != again {
			t.Fatal(result, err)
		}
	}
	if r.writes != 1 || r.secrets(t) != 1 || r.lists != 1 {
		t.Errorf("%d writes, %d Secrets, %d lists past the cache", r.writes, r.secrets(t), r.lists)
	}
	if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); !state.Standing() || !state.Since.Equal(injection.ChangedAt(r.left)) {
		t.Errorf("it changed at %s, by the API server's clock: %+v", injection.ChangedAt(r.left), state)
	}
}

// told is what metrics were told.
type told struct {
	bytes, credentials, leftOut, failed int
	changed                             time.Time
}

func (m *told) InjectionIndexKept(bytes, credentials, leftOut int, changed time.Time) {
	m.bytes, m.credentials, m.leftOut, m.changed = bytes, credentials, leftOut, changed
}

func (m *told) InjectionIndexFailed() { m.failed++ }

func TestMetricsTellOfTheIndex(t *testing.T) {
	m := &told{}
	r := newRig(t, credential(v1alpha1.AttachPods))
	r.Metrics, r.kept = m, make(chan struct{})
	r.fails = errors.New("away")
	if _, err := r.pass(t); err == nil || m.failed != 1 {
		t.Fatalf("%v: %+v", err, m)
	}
	select {
	case <-r.kept:
		t.Error("an index that could not be written is watched")
	default:
	}
	r.fails = nil
	if _, err := r.pass(t); err != nil || m.bytes == 0 || m.credentials != 1 || m.leftOut != 0 || m.changed.IsZero() {
		t.Errorf("%v: %+v", err, m)
	}
	<-r.kept
	if left := r.leftVersion.Load(); left == nil || *left != r.left.ResourceVersion || *left == "" {
		t.Errorf("the version that is left is %v", left)
	}
	if err := r.Cluster.(client.Client).Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.pass(t); err != nil || m.bytes != 0 || m.credentials != 0 {
		t.Errorf("%v: %+v", err, m)
	}
}

func TestWhoNeverAsksIsAskedForNoRight(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachServiceAccounts))
	r.fails = apierrors.NewForbidden(indexes, "regcred", errors.New("no such right"))
	for range 3 {
		if result, err := r.pass(t); err != nil || result.RequeueAfter != 0 {
			t.Fatal(result, err)
		}
	}
	if r.reads != 1 || r.writes != 0 {
		t.Errorf("%d reads, %d writes", r.reads, r.writes)
	}
}

func TestWhatNobodyAsksForAnyMoreIsTakenOutAtTheStart(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := r.pass(t); err != nil || r.secrets(t) != 1 {
		t.Fatal(err)
	}
	if err := r.Writer.Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
		t.Fatal(err)
	}
	restarted := &rig{Reconciler: Reconciler{Cluster: r.Cluster, Writer: r.Writer, Book: injection.NewBook(func(string, bool) {})}}
	r.reads, r.writes = 0, 0
	for range 2 {
		if _, err := restarted.pass(t); err != nil {
			t.Fatal(err)
		}
	}
	if r.writes != 1 || r.reads != 1 || r.secrets(t) != 0 {
		t.Errorf("%d writes, %d reads, %d Secrets", r.writes, r.reads, r.secrets(t))
	}
}

func TestAnIndexThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	r.fails = errors.New("no such right")
	if _, err := r.pass(t); err == nil {
		t.Fatal("no error")
	}
	if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); state.Fault == "" {
		t.Errorf("%+v", state)
	}
	r.fails = nil
	if _, err := r.pass(t); err != nil || r.secrets(t) != 1 {
		t.Fatal(err)
	}
}

func TestAnIndexThatIsLostServesNobody(t *testing.T) {
	for _, test := range []struct {
		name           string
		fails, refuses error
		serves         bool
	}{
		{name: "it was deleted, and cannot be made", fails: apierrors.NewNotFound(indexes, "regcred"), refuses: errors.New("no such right")},
		{name: "its kind was removed", fails: &meta.NoKindMatchError{}, refuses: &meta.NoKindMatchError{}},
		{name: "the API server is away", fails: errors.New("connection refused"), serves: true},
		{name: "it was deleted, and made again", fails: apierrors.NewNotFound(indexes, "regcred"), serves: true},
		{name: "it is there", serves: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, credential(v1alpha1.AttachPods))
			if _, err := r.pass(t); err != nil {
				t.Fatal(err)
			}
			r.fails, r.refuses = test.fails, test.refuses
			if _, err := r.pass(t); (err == nil) != (test.fails == nil || test.refuses == nil && test.serves && apierrors.IsNotFound(test.fails)) {
				t.Fatal(err)
			}
			if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); state.Standing() != test.serves {
				t.Errorf("%+v", state)
			}
		})
	}
}

// Pods that are created while the index is away miss the Secret: the time since when they get it begins again.
func TestAnIndexThatWasAwayForAWhileServesSinceItIsBack(t *testing.T) {
	since := func(r *rig) time.Time {
		return r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)).Since
	}
	dated := func(r *rig, at time.Time) {
		t.Helper()
		var index v1alpha1.InjectionIndex
		if err := r.Cluster.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index); err != nil || len(index.ManagedFields) == 0 {
			t.Fatal(err)
		}
		index.ManagedFields[0].Time = new(metav1.NewTime(at))
		r.left = &index
	}
	r := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := r.pass(t); err != nil || since(r).IsZero() {
		t.Fatal(since(r), err)
	}
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	dated(r, long)
	r.Book = injection.NewBook(func(string, bool) {})
	r.Book.Written(injection.Build([]v1alpha1.RegistryCredential{*credential(v1alpha1.AttachPods)}), injection.ChangedAt(r.left), false)
	if _, err := r.pass(t); err != nil || !since(r).Equal(long) {
		t.Fatalf("nothing happened, and it serves since %v: %v", since(r), err)
	}
	if err := r.Writer.Delete(t.Context(), r.left); err != nil {
		t.Fatal(err)
	}
	if _, err := r.pass(t); err != nil || !since(r).After(long) {
		t.Errorf("it was away, and serves since %v: %v", since(r), err)
	}
}

// TestAnIndexIsNotMadeOfACacheThatLags: another process was the leader a moment ago, and wrote into the index what the cache does not show yet.
func TestAnIndexIsNotMadeOfACacheThatLags(t *testing.T) {
	first := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := first.pass(t); err != nil {
		t.Fatal(err)
	}
	lags := true
	next := &rig{Reconciler: Reconciler{Writer: first.Writer, Book: injection.NewBook(func(string, bool) {})}}
	next.Cluster = interceptor.NewClient(first.Cluster.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if lags {
				return nil
			}
			return c.List(ctx, list, options...)
		},
	})
	first.unlisted = errors.New("no answer")
	if _, err := next.pass(t); !errors.Is(err, first.unlisted) || first.writes != 1 || first.lists != 2 {
		t.Errorf("%v: %d writes, after %d lists past the cache", err, first.writes, first.lists)
	}
	first.unlisted = nil
	for range 3 {
		if result, err := next.pass(t); err != nil || result.RequeueAfter != again || first.writes != 1 || next.secrets(t) != 1 {
			t.Errorf("%v, %v: %d writes, %d Secrets", result, err, first.writes, next.secrets(t))
		}
	}
	lags = false
	var object v1alpha1.RegistryCredential
	if err := first.Cluster.Get(t.Context(), client.ObjectKey{Name: "shop"}, &object); err != nil {
		t.Fatal(err)
	}
	if err := first.Writer.Delete(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := next.pass(t); err != nil || next.secrets(t) != 0 {
			t.Errorf("%v: nobody asks, and there are %d Secrets", err, next.secrets(t))
		}
	}
	if lists := first.lists; lists != 1+1+3+1 {
		t.Errorf("%d lists past the cache", lists)
	}
}
