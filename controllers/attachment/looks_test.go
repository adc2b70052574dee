package attachment

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/internal/wakeup"
)

func TestOneChangeHasTheIndexLookedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		q := followed(t, w)
		taken(q)
		now, _ := w.current()
		now.Delete(version("8"))
		if got := taken(q); got != 1 {
			t.Fatalf("%d looks, want 1", got)
		}
		time.Sleep(time.Minute)
		if got := taken(q); got != 0 {
			t.Errorf("%d more looks within a minute, and nothing happened", got)
		}
	})
}

func TestTheLastOfManyChangesIsLookedAtHalfASecondLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		q := followed(t, w)
		now, _ := w.current()
		for taken(q) > 0 {
			now.Modify(version("8"))
		}
		time.Sleep(time.Second / looksPerSecond)
		if got := taken(q); got != 1 {
			t.Errorf("%d looks, want 1: what somebody else made of the index would stay for a minute", got)
		}
	})
}

func TestAnEventWithoutAnObjectIsNoChange(t *testing.T) {
	r := &Reconciler{}
	r.leftVersion.Store(ptr.To("7"))
	if r.isForeign(watch.Event{Type: watch.Modified, Object: &metav1.Status{}}) {
		t.Error("a status counts as another version of the index")
	}
}

// The role for the index comes with the policy: what failed for hours without it is not left to a wait that has grown meanwhile.
func TestAPolicyThatComesHasTheIndexTriedWithoutDelay(t *testing.T) {
	q := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Hour, time.Hour))
	defer q.ShutDown()
	policy := &wakeup.Notifier{}
	if err := onStart(policy).Start(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	started, _ := q.Get()
	q.Done(started)
	for range 3 {
		q.AddRateLimited(started)
	}
	if failures := q.NumRequeues(theIndex); failures != 3 || q.Len() != 0 {
		t.Fatalf("%d failures, %d looks", failures, q.Len())
	}
	policy.Notify("the policy came")
	if failures := q.NumRequeues(theIndex); failures != 0 || q.Len() != 1 {
		t.Errorf("%d looks, and %d failures make the next wait longer", q.Len(), failures)
	}
}

// refused gives no watch, and says what it is told to. Once the context has ended it gives the context's error.
type refused struct{ says []string }

func (r *refused) Watch(ctx context.Context, _ client.ObjectList, _ ...client.ListOption) (watch.Interface, error) {
	if len(r.says) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	said := r.says[0]
	if r.says = r.says[1:]; said != "" {
		return nil, errors.New(said)
	}
	return watch.NewEmptyWatch(), nil // which has ended
}

// saidOf follows an index that was kept, while something happens, and returns the lines of the log.
func saidOf(t *testing.T, w Watches, happens func()) []string {
	t.Helper()
	var lines []string
	ctx, cancel := context.WithCancel(log.IntoContext(t.Context(), funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})))
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	r := &Reconciler{Watches: w, kept: make(chan struct{})}
	close(r.kept)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.follow(ctx, q)
	}()
	synctest.Wait()
	happens()
	synctest.Wait()
	cancel()
	<-ended
	return lines
}

// Somebody who looks for the reason finds it once, and not once a minute.
func TestThatTheIndexCannotBeWatchedIsSaidOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		says []string
		want []string
	}{
		{"the role is older than the operator", []string{"forbidden", "forbidden", "forbidden"}, []string{"forbidden"}},
		{"it fails for another reason", []string{"forbidden", "away", "away"}, []string{"forbidden", "away"}},
		{"it was watched in between", []string{"away", "", "away"}, []string{"away", "away"}},
		{"a watch ends as it does every five minutes", []string{"", "", ""}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lines := saidOf(t, &refused{test.says}, func() { time.Sleep(time.Hour) })
				if len(lines) != len(test.want) {
					t.Fatalf("%q, want %q", lines, test.want)
				}
				for i, want := range test.want {
					if !strings.Contains(lines[i], `"error"="`+want+`"`) {
						t.Errorf("%s does not say %q", lines[i], want)
					}
				}
			})
		})
	}
}

// What a server says is somebody else's text.
func TestWhyAWatchOfTheIndexEndedIsSaid(t *testing.T) {
	for name, test := range map[string]struct{ says, want string }{
		"in its words":                {"too old resource version", "too old resource version"},
		"without what moves a cursor": {"too\x1b[31m old", "too [31m old"},
		"and not all of them":         {strings.Repeat("x", 5000), "xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &watched{}
				lines := saidOf(t, w, func() {
					now, _ := w.current()
					now.Action(watch.Error, &metav1.Status{Code: 410, Message: test.says})
				})
				if len(lines) != 1 || !strings.Contains(lines[0], test.want) || strings.Contains(lines[0], "x1b") || len(lines[0]) > 2000 {
					t.Errorf("%q", lines)
				}
			})
		})
	}
}
