package credential

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
)

// live answers reads past the cache.
type live struct {
	client.Reader
	uid   string
	err   error
	reads int
}

func (l *live) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	l.reads++
	into.(*v1alpha1.RegistryCredential).UID = "c-00"
	if l.uid != "" {
		into.SetUID("of another")
	}
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
			if _, err := r.Reconcile(t.Context(), requestFor("unknown")); err != nil || test.live.reads != 1 {
				t.Errorf("one of which nothing is kept is read %d times: %v", test.live.reads-1, err)
			}
		})
	}
	t.Run("a newer version kept the record", func(t *testing.T) {
		const name = "regcred-published-c-00"
		clientset := fake.NewClientset(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: name, Labels: map[string]string{"regcred.dev/published": "true"}},
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
