package attachment

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
)

// Pods would name a Secret for ever that no spec asks for.
func TestWhatNobodyAsksForAnyMoreIsTakenOutThoughTheAPIServerFailsOnce(t *testing.T) {
	away, forbidden := errors.New("connection refused"), apierrors.NewForbidden(indexes, "regcred", errors.New("no such right"))
	for _, test := range []struct {
		name           string
		fails, refuses error
		restarted      bool
		again          time.Duration
		failed         bool
	}{
		{name: "the read fails", fails: away, failed: true},
		{name: "the write fails", refuses: away, failed: true},
		{name: "the read fails at the start", fails: away, restarted: true, failed: true},
		{name: "the write fails at the start", refuses: away, restarted: true, failed: true},
		{name: "the role is away for a while", fails: forbidden, again: again},
		{name: "the right to write is away for a while at the start", refuses: forbidden, restarted: true, again: again},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, credential(v1alpha1.AttachPods))
			if _, err := r.pass(t); err != nil || r.secrets(t) != 1 {
				t.Fatal(err)
			}
			if err := r.Writer.Delete(t.Context(), credential(v1alpha1.AttachPods)); err != nil {
				t.Fatal(err)
			}
			if test.restarted {
				r.left, r.Book = nil, injection.NewBook(func(string, bool) {})
			}
			r.fails, r.refuses = test.fails, test.refuses
			if result, err := r.pass(t); (err != nil) != test.failed || result.RequeueAfter != test.again {
				t.Errorf("it is not looked at again: %v, %v", result, err)
			}
			r.fails, r.refuses = nil, nil
			if _, err := r.pass(t); err != nil || r.secrets(t) != 0 {
				t.Errorf("%d Secrets are left in the index: %v", r.secrets(t), err)
			}
		})
	}
}

// An answer that is lost is no interruption: new pods got the Secrets all the time.
func TestAWriteWhoseAnswerIsLostMovesNoTime(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := r.pass(t); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	r.Book = injection.NewBook(func(string, bool) {})
	r.Book.Written(injection.Build([]v1alpha1.RegistryCredential{*credential(v1alpha1.AttachPods)}), long, false)
	other := credential(v1alpha1.AttachPods)
	other.Name, other.UID, other.Spec.Target.SecretName = "other", "o", "other"
	if err := r.Writer.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	whole := r.Writer
	r.Writer = interceptor.NewClient(r.Cluster.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			return errors.Join(c.Apply(ctx, object, options...), errors.New("timeout"))
		},
	})
	if _, err := r.pass(t); err == nil || r.secrets(t) != 2 {
		t.Fatalf("%d Secrets, %v", r.secrets(t), err)
	}
	r.Writer = whole
	if _, err := r.pass(t); err != nil {
		t.Fatal(err)
	}
	if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); !state.Since.Equal(long) {
		t.Errorf("it serves since %v, want %v", state.Since, long)
	}
	if state := r.Book.State(injection.State{Known: true}, other); !state.Standing() || !state.Since.After(long) {
		t.Errorf("the other is served since %v", state.Since)
	}
}

// What a write whose answer was lost asked for is no excuse for what somebody else made of the index since: pods were created without the Secrets.
func TestAnIndexThatSomebodyChangedAfterALostAnswerServesSinceItIsRight(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes func(t *testing.T, c client.Client)
		moves   bool
	}{
		{"nobody changed it", func(*testing.T, client.Client) {}, false},
		{"somebody emptied it", emptied, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, credential(v1alpha1.AttachPods))
			if _, err := r.pass(t); err != nil {
				t.Fatal(err)
			}
			long := time.Now().Add(-time.Hour).Truncate(time.Second)
			r.Book = injection.NewBook(func(string, bool) {})
			r.Book.Written(injection.Build([]v1alpha1.RegistryCredential{*credential(v1alpha1.AttachPods)}), long, false)
			other := credential(v1alpha1.AttachPods)
			other.Name, other.UID, other.Spec.Target.SecretName = "other", "o", "other"
			if err := r.Writer.Create(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			r.refuses = errors.New("timeout")
			if _, err := r.pass(t); err == nil {
				t.Fatal("no error")
			}
			r.refuses = nil
			test.changes(t, r.Writer)
			if _, err := r.pass(t); err != nil || r.secrets(t) != 2 {
				t.Fatal(r.secrets(t), err)
			}
			if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); state.Since.Equal(long) == test.moves {
				t.Errorf("it serves since %v, and did since %v", state.Since, long)
			}
		})
	}
}

// Each start after a change of any RegistryCredential would restart each stuck pod to which nothing adds the name: also where the first read or
// write fails.
func TestAStartMovesNoTime(t *testing.T) {
	away := errors.New("connection refused")
	for _, test := range []struct {
		name           string
		fails, refuses error
		deleted        bool
		moves          bool
	}{
		{name: "all goes well"},
		{name: "the first read fails", fails: away},
		{name: "the first write fails", refuses: away},
		{name: "the role comes later", fails: apierrors.NewForbidden(indexes, "regcred", errors.New("no such right"))},
		{name: "the index was deleted meanwhile", deleted: true, moves: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, credential(v1alpha1.AttachPods))
			if _, err := r.pass(t); err != nil {
				t.Fatal(err)
			}
			long := r.left.CreationTimestamp.UTC()
			other := credential(v1alpha1.AttachPods)
			other.Name, other.UID, other.Spec.Target.SecretName = "other", "o", "other"
			if err := r.Writer.Create(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			if test.deleted {
				if err := r.Writer.Delete(t.Context(), r.left); err != nil {
					t.Fatal(err)
				}
			}
			r.left, r.Book = nil, injection.NewBook(func(string, bool) {})
			if r.fails, r.refuses = test.fails, test.refuses; test.fails != nil || test.refuses != nil {
				if _, err := r.pass(t); err == nil {
					t.Fatal("no error")
				}
			}
			r.fails, r.refuses = nil, nil
			if _, err := r.pass(t); err != nil || r.secrets(t) != 2 {
				t.Fatal(r.secrets(t), err)
			}
			since := func(c *v1alpha1.RegistryCredential) time.Time {
				return r.Book.State(injection.State{Known: true}, c).Since
			}
			if got := since(credential(v1alpha1.AttachPods)); got.Equal(long) == test.moves {
				t.Errorf("it serves since %v, and did since %v", got, long)
			}
			if got := since(other); !got.After(long) {
				t.Errorf("the other is served since %v, before it was there", got)
			}
		})
	}
}

func TestAnIndexThatIsNotThereAtTheStartAndCannotBeMadeIsMissing(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	r.refuses = errors.New("no such right")
	for range 2 {
		if _, err := r.pass(t); err == nil {
			t.Fatal("no error")
		}
		if state := r.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); state.Fault == "" || state.Unseen {
			t.Errorf("pods miss the name: %+v", state)
		}
	}
}

// What a write asked for that failed is nothing that regcred left there once the index was seen to be another one.
func TestWhatAFailedWriteAskedForIsSomebodysWhereItComesLater(t *testing.T) {
	r := newRig(t, credential(v1alpha1.AttachPods))
	other := credential(v1alpha1.AttachPods)
	other.Name, other.UID, other.Spec.Target.SecretName = "other", "o", "other"
	one, both := injection.Build([]v1alpha1.RegistryCredential{*credential(v1alpha1.AttachPods)}).Spec, injection.Build([]v1alpha1.RegistryCredential{*credential(v1alpha1.AttachPods), *other}).Spec
	pass := func(what string, spec v1alpha1.InjectionIndexSpec, want bool) {
		t.Helper()
		if interrupted, err := r.write(t.Context(), spec, nil); interrupted != want || (err != nil) != (r.refuses != nil) {
			t.Errorf("%s: it was interrupted: %t, %v", what, interrupted, err)
		}
	}
	pass("it is made", one, true)
	r.refuses = errors.New("timeout")
	pass("another one asks, and the write fails", both, false)
	r.refuses = nil
	pass("that one is gone", one, false)
	var index v1alpha1.InjectionIndex
	if err := r.Writer.Get(t.Context(), client.ObjectKey{Name: v1alpha1.InjectionIndexName}, &index); err != nil {
		t.Fatal(err)
	}
	if index.Spec = both; r.Writer.Update(t.Context(), &index) != nil {
		t.Fatal("it cannot be changed")
	}
	pass("somebody writes what the failed write asked for", one, true)
}

// Whom the index held was served all the time, though the cache of a new leader does not show yet who asks for it.
func TestWhatANewLeaderFindsIsServedSinceTheIndexWasMade(t *testing.T) {
	first := newRig(t, credential(v1alpha1.AttachPods))
	if _, err := first.pass(t); err != nil {
		t.Fatal(err)
	}
	made := time.Now().Add(-time.Hour).Truncate(time.Second)
	cluster := first.Cluster.(client.WithWatch)
	next := &rig{Reconciler: Reconciler{Book: injection.NewBook(func(string, bool) {})}}
	next.Writer = interceptor.NewClient(cluster, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			defer object.SetCreationTimestamp(metav1.NewTime(made))
			return c.Get(ctx, key, object, options...)
		},
	})
	next.Cluster = interceptor.NewClient(cluster, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})
	if _, err := next.pass(t); err != nil {
		t.Fatal(err)
	}
	if state := next.Book.State(injection.State{Known: true}, credential(v1alpha1.AttachPods)); !state.Standing() || !state.Since.Equal(made) {
		t.Errorf("it serves since %s, want %s", state.Since, made)
	}
}
