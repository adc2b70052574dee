package attachment

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// watched gives out one watch after the other, and fails while fails says so.
type watched struct {
	mu     sync.Mutex
	fails  error
	now    *watch.FakeWatcher
	opened int
	asked  metav1.ListOptions
}

func (w *watched) Watch(_ context.Context, _ client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	w.asked = *(&client.ListOptions{}).ApplyOptions(options).AsListOptions()
	if w.fails != nil {
		return nil, w.fails
	}
	w.now = watch.NewFake()
	return w.now, nil
}

// current is the watch that was given out last, and how many were asked for.
func (w *watched) current() (now *watch.FakeWatcher, opened int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.opened
}

func (w *watched) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails = err
}

// followed follows an index that was kept, in its last version "7", until the test ends.
func followed(t *testing.T, w *watched) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	t.Helper()
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	r := &Reconciler{Watches: w, kept: make(chan struct{})}
	r.leftVersion.Store(ptr.To("7"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.follow(ctx, q)
	}()
	synctest.Wait()
	if _, opened := w.current(); opened > 0 {
		t.Error("an index is watched that was never kept")
	}
	close(r.kept)
	synctest.Wait()
	t.Cleanup(func() {
		cancel()
		<-ended
		q.ShutDown()
	})
	return q
}

// taken is how many looks are asked for, which it takes.
func taken(q workqueue.TypedRateLimitingInterface[reconcile.Request]) int {
	synctest.Wait()
	count := q.Len()
	for range count {
		one, _ := q.Get()
		q.Done(one)
	}
	return count
}

func version(version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "regcred", ResourceVersion: version}}
}

func TestTheIndexIsLookedAtWhenSomebodyElseChangedIt(t *testing.T) {
	for _, test := range []struct {
		name string
		does func(*watch.FakeWatcher)
		want int
	}{
		{"it was deleted", func(w *watch.FakeWatcher) { w.Delete(version("8")) }, 1},
		{"it was changed", func(w *watch.FakeWatcher) { w.Modify(version("8")) }, 1},
		{"another one is there", func(w *watch.FakeWatcher) { w.Add(version("8")) }, 1},
		{"it is as it was left", func(w *watch.FakeWatcher) { w.Add(version("7")) }, 0},
		{"time passes", func(w *watch.FakeWatcher) { w.Action(watch.Bookmark, version("8")) }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &watched{}
				q := followed(t, w)
				if got := taken(q); got != 1 {
					t.Fatalf("%d looks when the watch begins, want 1: what happened before is no event of it", got)
				}
				now, _ := w.current()
				test.does(now)
				if got := taken(q); got != test.want {
					t.Errorf("%d looks, want %d", got, test.want)
				}
			})
		})
	}
}

// Bookmarks keep the watchdog from taking a watch over which nothing comes for a silent one.
func TestTheWatchIsOfTheOneObjectWithBookmarksAndAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		followed(t, w)
		w.mu.Lock()
		defer w.mu.Unlock()
		if a := w.asked; a.FieldSelector != "metadata.name=regcred" || !a.AllowWatchBookmarks || a.TimeoutSeconds == nil || *a.TimeoutSeconds != 300 {
			t.Errorf("it asks for %+v", a)
		}
	})
}

func TestWhoChangesTheIndexAllTheTimeDoesNotHaveItReadAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		q := followed(t, w)
		looks, begun := taken(q), time.Now()
		now, _ := w.current()
		for time.Since(begun) < time.Minute {
			now.Modify(version("8"))
			time.Sleep(10 * time.Millisecond)
			looks += taken(q)
		}
		if looks < 60 || looks > 250 {
			t.Errorf("%d looks in a minute of changes, want about two to four a second", looks)
		}
		now.Delete(version("8"))
		if got := taken(q); got != 1 {
			t.Errorf("%d looks when it is deleted, want 1 at once", got)
		}
	})
}

func TestAWatchThatEndsOrCannotBeginIsBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		q := followed(t, w)
		taken(q)
		now, _ := w.current()
		now.Stop()
		time.Sleep(followStart + time.Millisecond)
		got := taken(q)
		now, opened := w.current()
		if got != 1 || opened != 2 {
			t.Errorf("%d looks and %d watches a second after a watch ended, want 1 and 2", got, opened)
		}
		w.fail(errors.New("forbidden: the role is older than the operator"))
		now.Action(watch.Error, &metav1.Status{Message: "too old"})
		time.Sleep(time.Hour)
		if _, opened = w.current(); opened < 50 || opened > 75 {
			t.Errorf("a watch that cannot begin was tried %d times in an hour, want about once a minute", opened)
		}
		w.fail(nil)
		time.Sleep(followEnd + time.Millisecond)
		if got := taken(q); got != 1 {
			t.Errorf("%d looks when it can begin again, want 1", got)
		}
	})
}

// An API server ends a watch that fell behind: that it could begin is a sign that all is well.
func TestAWatchThatBeganIsBegunAgainWithinASecondEachTimeThatItEnds(t *testing.T) {
	for name, ends := range map[string]func(*watch.FakeWatcher){
		"by an error": func(w *watch.FakeWatcher) { w.Action(watch.Error, &metav1.Status{Code: 410, Message: "too old"}) },
		"without one": func(w *watch.FakeWatcher) { w.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &watched{}
				q := followed(t, w)
				for n := range 6 {
					taken(q)
					now, opened := w.current()
					if opened != n+1 {
						t.Fatalf("%d watches were begun after %d ends", opened, n)
					}
					ends(now)
					time.Sleep(followStart + time.Millisecond)
					synctest.Wait()
				}
			})
		})
	}
}

// However often somebody changes the index, one that is deleted is made again at once.
func TestChangesDoNotDelayALookAtWhatWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		q := followed(t, w)
		now, _ := w.current()
		for range 3 * looksAtOnce {
			now.Modify(version("8"))
			taken(q)
		}
		now.Modify(version("8"))
		if got := taken(q); got != 0 {
			t.Fatalf("%d looks at once after so many changes", got)
		}
		now.Delete(version("8"))
		if got := taken(q); got != 1 {
			t.Errorf("%d looks when it is deleted, want 1 at once", got)
		}
	})
}
