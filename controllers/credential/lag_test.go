package credential

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/inmemory"
)

// live answers reads past the cache.
type live struct {
	client.Reader
	uid        string
	generation int64
	err        error
	reads      int
}

func (l *live) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if key.Name != "c-00" {
		return errors.New("another one is asked for")
	}
	l.reads++
	into.SetUID("c-00")
	if l.uid != "" {
		into.SetUID("of another")
	}
	into.SetGeneration(l.generation)
	return l.err
}

// TestARecordIsKeptWhereTheCacheLags: another process was the leader a moment ago and kept a record, and the cache does not show its
// RegistryCredential yet.
func TestARecordIsKeptWhereTheCacheLags(t *testing.T) {
	for _, test := range []struct {
		name string
		live live
		kept bool
	}{
		{"it is there", live{}, true},
		{"whether it is there cannot be read", live{err: errors.New("no answer")}, true},
		{"it is gone", live{err: notFound}, false},
		{"another one has its name", live{uid: "of another"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, object := reporting(t, 1, 1)
			r.memories.of(object, r.Now())
			r.Live = &test.live
			r.Client = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
				Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
					return notFound
				},
			})
			_, err := r.Reconcile(t.Context(), requestFor(object.Name))
			if kept := r.Store.Get(object.Name).UID != ""; kept != test.kept || (err != nil) != test.kept || test.live.reads != 1 {
				t.Errorf("its record is kept: %t, after %d reads: %v", kept, test.live.reads, err)
			}
			if _, remembered := r.memories.m[object.Name]; remembered != test.kept {
				t.Errorf("what could not be written of it yet is remembered: %t", remembered)
			}
			if _, err := r.Reconcile(t.Context(), requestFor("unknown")); err != nil || test.live.reads != 1 {
				t.Errorf("one of which nothing is kept is read %d times: %v", test.live.reads-1, err)
			}
		})
	}
	t.Run("a newer version kept the record", func(t *testing.T) {
		const name = "regcred-published-c-00"
		clientset := inmemory.Clientset(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: name, ResourceVersion: "1", Labels: map[string]string{"regcred.dev/published": "true"}},
			Data:       map[string][]byte{"credential": []byte("c-00"), "memo": []byte(`{"format":99}`)},
		})
		r, object := reporting(t, 1, 1)
		r.Store = records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
		if err := r.Store.Load(t.Context()); err != nil || !r.Store.IsLeftAlone(object.Name) {
			t.Fatalf("it is not left alone: %v", err)
		}
		for _, uid := range []string{"", "of another"} { // whose record it is is not known
			r.Live = &live{uid: uid}
			if err := r.forget(t.Context(), object.Name); err == nil {
				t.Error("it is forgotten while the RegistryCredential is there")
			}
		}
		r.Live = &live{err: notFound}
		if err := r.forget(t.Context(), object.Name); err != nil || r.Store.IsLeftAlone(object.Name) {
			t.Errorf("one that is gone is still known: %v", err)
		}
	})
}

// TestWhatIsKeptIsOfANewerObjectThanTheCacheShows: another process was the leader a moment ago. Until the cache shows what that one acted on, the
// source is not read and nothing is written.
func TestWhatIsKeptIsOfANewerObjectThanTheCacheShows(t *testing.T) {
	for _, test := range []struct {
		name       string
		uid        types.UID
		generation int64
		live       live
		reads      int
		waits      bool
	}{
		{"it was kept for this spec", "c-00", 1, live{}, 0, false},
		{"it was kept for a later spec", "c-00", 2, live{generation: 2}, 1, true},
		{"it was kept for a later spec, and the cluster was set back", "c-00", 2, live{generation: 1}, 1, false},
		{"it was kept for one that was created since", "of another", 1, live{uid: "of another", generation: 1}, 1, true},
		{"it was kept for one before", "of another", 7, live{generation: 1}, 1, false},
		{"it was kept for one before, and the spec was changed since", "of another", 7, live{generation: 2}, 1, true},
		{"it was kept for one that was created since, and is gone", "of another", 1, live{err: notFound}, 1, true},
		{"it cannot be read", "c-00", 2, live{err: errors.New("no answer")}, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, object := reporting(t, 1, 1)
			r.Live = &test.live
			record := r.Store.Get(object.Name)
			record.UID, record.Generation = test.uid, test.generation
			r.Store = records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
			if err := r.Store.Save(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			reads := 0
			r.Source = sourceFunc(func() (source.Snapshot, error) { reads++; return source.Snapshot{}, errors.New("sealed") })
			_, err := r.Reconcile(t.Context(), requestFor(object.Name))
			if waits := reads == 0; waits != test.waits || (err != nil) != test.waits || test.live.reads != test.reads {
				t.Errorf("the source is read %d times, after %d reads past the cache: %v", reads, test.live.reads, err)
			}
			if now := r.Store.Get(object.Name); test.waits && now.UID != test.uid {
				t.Errorf("the record of %s is written over by one of %s", test.uid, now.UID)
			}
		})
	}
}

type sourceFunc func() (source.Snapshot, error)

func (f sourceFunc) Read(context.Context, source.Request) (source.Snapshot, error) { return f() }
