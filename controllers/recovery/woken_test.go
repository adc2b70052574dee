package recovery

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// countingQueue counts the looks that are asked for.
type countingQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	looks atomic.Int32
}

func (q *countingQueue) Add(reconcile.Request) { q.looks.Add(1) }

// TestHoweverOftenASecretChangesItsPodsAreWokenOnceInAWhile plays a tenant who writes the Secret of its namespace in a loop.
func TestHoweverOftenASecretChangesItsPodsAreWokenOnceInAWhile(t *testing.T) {
	r := stuckCluster(t, 2, 1)
	beside := func(namespace string) event.TypedUpdateEvent[*corev1.Secret] {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "regcred"}}
		return event.TypedUpdateEvent[*corev1.Secret]{ObjectOld: secret, ObjectNew: secret}
	}
	synctest.Test(t, func(t *testing.T) {
		q, wakes := &countingQueue{}, wakeBeside(r, func(*corev1.Secret) string { return "" })
		steps := []struct {
			name      string
			namespace string
			changes   int
			after     time.Duration
			looks     int32
		}{
			{"the first change wakes the pod at once", "n-00000", 1, 0, 1},
			{"more changes wake nobody", "n-00000", 100, restAfterWake / 2, 1},
			{"those of another namespace wake its own pod", "n-00001", 1, 0, 2},
			{"all that changed meanwhile wakes once", "n-00000", 0, restAfterWake, 3},
			{"then a change within the next rest waits again", "n-00000", 1, 0, 3},
			{"and nothing more happens when all is still", "n-00000", 0, time.Hour, 4},
			{"after which a change wakes at once", "n-00000", 1, 0, 5},
			{"a namespace without stuck pods is none of its business", "elsewhere", 100, time.Hour, 5},
		}
		for _, step := range steps {
			for range step.changes {
				wakes.Update(t.Context(), beside(step.namespace), q)
			}
			time.Sleep(step.after)
			synctest.Wait()
			if got := q.looks.Load(); got != step.looks {
				t.Fatalf("%s: %d looks, want %d", step.name, got, step.looks)
			}
		}
		if len(r.woken.again) != 0 {
			t.Errorf("%d namespaces are remembered for ever", len(r.woken.again))
		}
	})
}

func TestAServiceAccountWakesThePodsThatHaveIt(t *testing.T) {
	r := stuckCluster(t, 1, 1)
	pod := &corev1.Pod{}
	if err := r.Cluster.Get(t.Context(), looked, pod); err != nil {
		t.Fatal(err)
	}
	pod.Spec.ServiceAccountName = "builder"
	if err := r.Writer.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int32{"default": 0, "builder": 1} {
		q := &countingQueue{}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: name}}
		wakeBeside(r, func(account *corev1.ServiceAccount) string { return account.Name }).Create(
			t.Context(), event.TypedCreateEvent[*corev1.ServiceAccount]{Object: account}, q)
		if got := q.looks.Load(); got != want {
			t.Errorf("ServiceAccount %s wakes %d pods, want %d", name, got, want)
		}
	}
}

// countingPods counts how often pods are listed.
type countingPods struct {
	client.Reader
	lists atomic.Int32
}

func (p *countingPods) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	p.lists.Add(1)
	return p.Reader.List(ctx, list, options...)
}

// The handler of an informer serves all namespaces: while one rests, its changes cost a look at a map and none at its pods.
func TestWhileANamespaceRestsItsPodsAreNotListed(t *testing.T) {
	r := stuckCluster(t, 1, 1)
	pods := &countingPods{Reader: r.Cluster}
	r.Pods = podsOf{Reader: pods}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n-00000", Name: "regcred"}}
	synctest.Test(t, func(t *testing.T) {
		q, wakes := &countingQueue{}, wakeBeside(r, func(*corev1.Secret) string { return "" })
		for range 100 {
			wakes.Update(t.Context(), event.TypedUpdateEvent[*corev1.Secret]{ObjectOld: secret, ObjectNew: secret}, q)
		}
		if lists := pods.lists.Load(); lists > 1 {
			t.Errorf("100 changes list the pods %d times", lists)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks := q.looks.Load(); looks != 2 {
			t.Errorf("%d looks, want 2", looks)
		}
	})
}
