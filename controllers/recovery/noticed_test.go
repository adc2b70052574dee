package recovery

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/wakeup"
)

// namedQueue remembers which pods are to be looked at.
type namedQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	mu    sync.Mutex
	added []string
}

func (q *namedQueue) Add(request reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.added = append(q.added, request.Name)
}

// took gives what was added since it was asked last.
func (q *namedQueue) took() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer func() { q.added = nil }()
	return fmt.Sprint(q.added)
}

// Deliveries of several RegistryCredentials are told together: that one of them is no news for a namespace says nothing of the others.
func TestNewsOfOneRegistryCredentialWakePodsWhateverIsToldOfOthers(t *testing.T) {
	const credentials = 8
	r := stuckCluster(t, 1, credentials)
	place := delivered.Place{Namespace: looked.Namespace, Name: "regcred"}
	synctest.Test(t, func(t *testing.T) {
		q, written := &namedQueue{}, &wakeup.Notifier{}
		if err := r.onNotice(written, r.whereNews).Start(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		all := func() string {
			for c := range credentials {
				written.Notify(fmt.Sprintf("c-%02d", c))
			}
			time.Sleep(2 * collect)
			synctest.Wait()
			return q.took()
		}
		all()
		if got := all(); got != "[]" {
			t.Fatalf("nothing is news, and these are looked at: %s", got)
		}
		for c := range credentials {
			deliveries := map[string]delivered.Delivery{}
			for other := range credentials {
				name := fmt.Sprintf("c-%02d", other)
				deliveries[name], _ = r.Board.At(place, name)
			}
			changed := deliveries[fmt.Sprintf("c-%02d", c)]
			changed.Version.Revision = "2"
			deliveries[fmt.Sprintf("c-%02d", c)] = changed
			r.Board.Post(place, deliveries)
			if got := all(); got != "[web]" {
				t.Errorf("one of %d is news: looked at are %s", credentials, got)
			}
		}
	})
}

// What changes while the running pods are read may have come too late for them: they are read once more.
func TestAChangeDuringALookAtRunningPodsHasThemLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, r := 0, &Reconciler{}
		r.Lists = lists(func() {
			if looks++; looks == 1 {
				r.scheduleLook(t.Context(), nil)
			}
		})
		r.scheduleLook(t.Context(), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks != 2 {
			t.Errorf("%d looks, want 2", looks)
		}
	})
}

// lists holds no pods, and does something while it is read.
type lists func()

func (l lists) Each(context.Context, string, string, func(podlist.Pod) bool) (bool, error) {
	l()
	return false, nil
}

// Which of the ServiceAccounts of a namespace changed while it rested is not known: all its pods are woken then.
func TestAfterARestThePodsOfAllServiceAccountsAreWoken(t *testing.T) {
	r := stuckCluster(t, 1, 1)
	other := inNamespace(looked.Namespace)[1].(*corev1.Pod)
	other.ObjectMeta = metav1.ObjectMeta{Namespace: looked.Namespace, Name: "built", UID: "built"}
	other.Spec.ServiceAccountName = "builder"
	if err := r.Writer.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		q, wakes := &namedQueue{}, wakeBeside(r, func(account *corev1.ServiceAccount) string { return account.Name })
		change := func(name string) {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: name}}
			wakes.Update(t.Context(), event.TypedUpdateEvent[*corev1.ServiceAccount]{ObjectOld: account, ObjectNew: account}, q)
		}
		if change("default"); q.took() != "[web]" {
			t.Fatal("the pod of the ServiceAccount that changed is not woken")
		}
		change("builder")
		time.Sleep(restAfterWake)
		synctest.Wait()
		if got := q.took(); got != "[built web]" {
			t.Errorf("woken are %s", got)
		}
	})
}

// A pod of a StatefulSet has the name of the one before. What was tried on that one is not what was tried on this.
func TestOfTwoCuresWithoutAnAnswerTheLastOneCounts(t *testing.T) {
	r, _ := cured(t)
	for n, uid := range []types.UID{"first", "second"} {
		at := r.Now().Add(time.Duration(n) * seenWithin / 2)
		r.unanswered.note(gathered{Facts: diagnosis.Facts{Now: at, Pod: ordinal("web-0", uid, true)}}, diagnosis.Verdict{Action: diagnosis.Restart})
	}
	gone := client.ObjectKey{Namespace: ordinal("web-0", "", true).Namespace, Name: "web-0"}
	if tried, known := r.unanswered.of(gone, r.Now().Add(seenWithin*5/4)); !known || tried.g.Pod.UID != "second" {
		t.Errorf("a moment after the second: %t", known)
	}
	if err := r.hearOf(t.Context(), gone, nil); err != nil {
		t.Fatal(err)
	}
	if len(r.successors.expected["second"]) != 1 || len(r.successors.expected) != 1 {
		t.Errorf("it is gone, and expected are successors of %v", r.successors.expected)
	}
}
