package delivery

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/pullsecret"
)

// watched is a rig whose watch tells of Secrets when a test says so.
type watched struct {
	*rig
	queue queue
	// told is the Secret that the watch told of last.
	told *corev1.Secret
}

func watching(t *testing.T) *watched {
	g := newRig(t, 1, credential("company", "registry.example"))
	g.publish(record(t, "company", "1-x", "secret", "registry.example"))
	g.all(1)
	g.identified()
	g.all(1)
	w := &watched{rig: g, queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[delivered.Place]()), told: g.secret(concerned)}
	t.Cleanup(w.queue.ShutDown)
	return w
}

// tell has the watch tell of the Secret as it is.
func (w *watched) tell() {
	now := w.secret(concerned)
	w.r.onSecret().Update(context.Background(), event.TypedUpdateEvent[*corev1.Secret]{ObjectOld: w.told, ObjectNew: now}, w.queue)
	w.told = now
}

// woken are the places that wait to be looked at. They wait no more.
func (w *watched) woken() []string {
	var names []string
	for w.queue.Len() > 0 {
		place, _ := w.queue.Get()
		names = append(names, place.Name)
		w.queue.Done(place)
	}
	slices.Sort(names)
	return names
}

// onUpdate has something done to a Secret that is being written: before the API server has it, or after and before the write returns.
func (w *watched) onUpdate(before, after func(*corev1.Secret) error) {
	w.r.Writer = interceptor.NewClient(w.c.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			secret, ok := object.(*corev1.Secret)
			if !ok {
				return c.Update(ctx, object, options...)
			}
			if err := before(secret); err != nil {
				return err
			}
			if err := c.Update(ctx, object, options...); err != nil {
				return err
			}
			return after(secret)
		},
	})
}

func nothing(*corev1.Secret) error { return nil }

func (w *watched) rotate(t *testing.T) {
	t.Helper()
	w.now = w.now.Add(time.Hour)
	w.publish(record(t, "company", "2-x", "changed", "registry.example"))
	if _, err := w.reconcile(concerned); err != nil {
		t.Log(err)
	}
}

// change has somebody change the data of the Secret.
func (w *watched) change(t *testing.T) {
	t.Helper()
	secret := w.secret(concerned)
	secret.Data["theirs"] = []byte(w.now.String())
	if err := w.c.Update(context.Background(), secret); err != nil {
		t.Fatal(err)
	}
}

func TestAWriteThatTheWatchTellsOfWakesNobodyUnlessThereIsMoreToKnow(t *testing.T) {
	own := []string{"regcred"}
	for _, test := range []struct {
		name string
		do   func(*testing.T, *watched)
		want []string
	}{
		{"the event of a write comes after it", func(t *testing.T, w *watched) {
			w.rotate(t)
			w.tell()
		}, nil},
		{"the event of a write comes before the write has returned", func(t *testing.T, w *watched) {
			w.onUpdate(nothing, func(*corev1.Secret) error { w.tell(); return nil })
			w.rotate(t)
		}, nil},
		{"the event of what was there before comes late", func(t *testing.T, w *watched) {
			w.onUpdate(func(*corev1.Secret) error { w.tell(); return nil }, func(*corev1.Secret) error { w.tell(); return nil })
			w.rotate(t)
		}, nil},
		{"a watch that begins again tells of what was looked at", func(_ *testing.T, w *watched) { w.tell() }, nil},
		{"somebody changes it after the write", func(t *testing.T, w *watched) {
			w.rotate(t)
			w.change(t)
			w.tell()
		}, own},
		{"somebody changes it before the write has returned", func(t *testing.T, w *watched) {
			w.onUpdate(nothing, func(*corev1.Secret) error { w.change(t); w.tell(); return nil })
			w.rotate(t)
		}, own},
		{"somebody changes it after the event of the write, before that has returned", func(t *testing.T, w *watched) {
			w.onUpdate(nothing, func(*corev1.Secret) error { w.tell(); w.change(t); w.tell(); return nil })
			w.rotate(t)
		}, own},
		{"a webhook keeps another content", func(t *testing.T, w *watched) {
			w.onUpdate(func(s *corev1.Secret) error { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`); return nil }, nothing)
			w.rotate(t)
			w.tell()
		}, own},
		{"a webhook keeps other labels", func(t *testing.T, w *watched) {
			w.onUpdate(func(s *corev1.Secret) error { s.Labels["theirs"] = "yes"; return nil }, nothing)
			w.rotate(t)
			w.tell()
		}, own},
		{"the write fails and has happened", func(t *testing.T, w *watched) {
			w.onUpdate(nothing, func(*corev1.Secret) error { w.tell(); return errors.New("connection lost") })
			w.rotate(t)
		}, own},
		{"a ServiceAccount is not there", func(t *testing.T, w *watched) {
			if err := w.c.Delete(context.Background(), w.account()); err != nil {
				t.Fatal(err)
			}
			w.rotate(t)
			w.tell()
		}, own},
		{"somebody takes the label away", func(t *testing.T, w *watched) {
			secret := w.secret(concerned)
			secret.Labels = nil
			if err := w.c.Update(context.Background(), secret); err != nil {
				t.Fatal(err)
			}
			w.tell()
		}, own},
		{"there is another Secret of ours, which may wait for this one", func(t *testing.T, w *watched) {
			other := w.secret(concerned)
			other.ObjectMeta = metav1.ObjectMeta{Namespace: concerned, Name: "former", Labels: other.Labels, Annotations: other.Annotations}
			if err := w.c.Create(context.Background(), other); err != nil {
				t.Fatal(err)
			}
			w.rotate(t)
			w.tell()
		}, []string{"former"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := watching(t)
			test.do(t, w)
			if got := w.woken(); !slices.Equal(got, test.want) {
				t.Errorf("it wakes %q, and should wake %q", got, test.want)
			}
		})
	}
}

// A Secret that was deleted and created with the same content is another one.
func TestASecretThatWasRecreatedIsLookedAt(t *testing.T) {
	w := watching(t)
	again := w.secret(concerned)
	w.r.onSecret().Delete(context.Background(), event.TypedDeleteEvent[*corev1.Secret]{Object: w.told}, w.queue)
	if got := w.woken(); len(got) != 1 {
		t.Fatalf("after the deletion it wakes %q", got)
	}
	again.UID = "another"
	w.r.onSecret().Create(context.Background(), event.TypedCreateEvent[*corev1.Secret]{Object: again}, w.queue)
	if got := w.woken(); len(got) != 1 {
		t.Errorf("after the creation it wakes %q", got)
	}
}

// What a webhook makes of a write is not what was meant: written again at each look, it would be a fight without an end.
func TestAWebhookThatChangesEachWriteIsARival(t *testing.T) {
	w, writes := watching(t), 0
	w.onUpdate(func(s *corev1.Secret) error {
		writes++
		s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`)
		return nil
	}, nothing)
	w.rotate(t)
	for range 3 * pullsecret.ContestReverts {
		w.now = w.now.Add(time.Second)
		w.all(1)
	}
	if d, _ := w.r.Board.At(delivered.Place{Namespace: concerned, Name: "regcred"}, "company"); d.Reason != v1alpha1.ReasonContested || writes > pullsecret.ContestReverts+1 {
		t.Errorf("%d writes, and it is said to be %q", writes, d.Reason)
	}
}
