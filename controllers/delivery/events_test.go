package delivery

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// A watch that says nothing any more is no reason to look at nothing for ever.
func TestNowAndThenEverythingIsLookedAt(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	synctest.Test(t, func(t *testing.T) {
		q := locked{mu: &sync.Mutex{}, asked: map[delivered.Place]int{}}
		count := func() (looked, priority int) {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, priority = range q.asked {
				looked++
			}
			clear(q.asked)
			return looked, priority
		}
		var away atomic.Bool
		g.r.Cluster = interceptor.NewClient(g.r.Cluster.(client.WithWatch), interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				if _, is := list.(*v1alpha1.RegistryCredentialList); is && away.Load() {
					return errAway
				}
				return c.List(ctx, list, options...)
			},
		})
		if err := g.r.onTimer().Start(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		time.Sleep(safetyPass - 1)
		synctest.Wait()
		if looked, _ := count(); looked != 0 {
			t.Errorf("%d places before the time", looked)
		}
		for i, want := range []int{2, 0, 2} {
			away.Store(want == 0)
			time.Sleep(safetyPass)
			synctest.Wait()
			if looked, priority := count(); looked != want || looked > 0 && priority != last {
				t.Errorf("look %d: %d places with priority %d, want %d", i, looked, priority, want)
			}
		}
	})
}

// locked is a queue that another goroutine adds to.
type locked struct {
	priorityqueue.PriorityQueue[delivered.Place]
	mu    *sync.Mutex
	asked map[delivered.Place]int
}

func (l locked) AddWithOpts(options priorityqueue.AddOpts, places ...delivered.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, place := range places {
		l.asked[place] = *options.Priority
	}
}

func TestEachEventOfARegistryCredentialHasItsPlacesLookedAt(t *testing.T) {
	gone := credential("company", "r.example")
	going(v1alpha1.DeletionDelete)(gone)
	for name, tell := range map[string]func(g *rig, q queue){
		"it came": func(g *rig, q queue) {
			g.r.onCredential().Create(t.Context(), event.TypedCreateEvent[*v1alpha1.RegistryCredential]{Object: gone}, q)
		},
		"it changed": func(g *rig, q queue) {
			g.r.onCredential().Update(t.Context(), event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: gone, ObjectNew: gone}, q)
		},
		"it went": func(g *rig, q queue) {
			g.r.onCredential().Delete(t.Context(), event.TypedDeleteEvent[*v1alpha1.RegistryCredential]{Object: gone}, q)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := delivers(t, nil)
			q := &added{}
			if tell(g, q); !slices.Equal(q.places, []delivered.Place{first}) {
				t.Errorf("looked at is %v", q.places)
			}
		})
	}
}

// What cannot be read is not told to be nobody: the board would say that all have the value.
func TestWhereNamespacesCannotBeReadTheBoardIsNotToldThatNoneIsSelected(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	object := credential("company", "r.example")
	g.r.placesOf(t.Context(), object)
	g.unreadable("NamespaceList")
	if places := g.r.placesOf(t.Context(), object); len(places) != 2 || g.r.Board.Summary("company", "regcred").Selected != 2 {
		t.Errorf("%v, %+v", places, g.r.Board.Summary("company", "regcred"))
	}
}

func TestPlacesOfANameThatTheOperatorWasNotGivenAreNotLookedAt(t *testing.T) {
	company, other := credential("company", "r.example"), credential("other", "o.example")
	other.Spec.Target.SecretName = "given"
	g := newRig(t, 2, company, other)
	g.r.Secrets = fewNames{everyName{g.c}, []string{"given", "more"}}
	if got := g.r.placesOf(t.Context(), company); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := g.r.placesOf(t.Context(), other); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if got := g.r.placesIn(t.Context(), "n-00000"); !samePlaces(got, inFirst("given")) {
		t.Errorf("%v", got)
	}
	gone := credential("other", "o.example")
	gone.Spec.Target.SecretName = "given"
	going(v1alpha1.DeletionDelete)(gone)
	if got := g.r.selectedBy(t.Context(), gone); len(got) != 0 {
		t.Errorf("one that is being deleted selects %v", got)
	}
}

func TestAPlaceThatIsAloneInItsNamespaceIsLookedAtAlone(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.there("other-of-ours", true)
	secret := g.there("regcred", true)
	for _, test := range []struct {
		names []string
		want  []string
	}{
		{[]string{"regcred"}, []string{"regcred"}},
		{[]string{"regcred", "other-of-ours"}, []string{"regcred", "other-of-ours"}},
		{[]string{"*"}, []string{"regcred", "other-of-ours"}},
	} {
		g.r.Secrets = fewNames{everyName{g.c}, test.names}
		if got := g.r.placesBeside(t.Context(), secret); !samePlaces(got, inFirst(test.want...)) {
			t.Errorf("with the names %q: %v", test.names, got)
		}
	}
}

// A place whose write fails is tried again, each time later: first after backOffStart.
func TestAWriteThatFailsIsTriedAgainLaterAndLater(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	mgr := manager.New(t, g.c.(client.WithWatch))
	all := cached{everyName{g.c}, mgr.GetCache()}
	g.r.Secrets, g.r.ServiceAccounts = all, all
	var mu sync.Mutex
	var at []time.Time
	recording(g).refuse = func(request) error {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		return errAway
	}
	if err := g.r.SetupWithManager(mgr, &wakeup.Notifier{}, &wakeup.Notifier{}); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	const tries = 5
	manager.Await(t, "it is tried again and again", func() bool { mu.Lock(); defer mu.Unlock(); return len(at) >= tries })
	mu.Lock()
	defer mu.Unlock()
	least := backOffStart * (1<<(tries-1) - 1) // each wait is twice the one before
	// Two events at the start can begin the first two tries together.
	if took := at[tries-1].Sub(at[0]); took < least/4 {
		t.Errorf("%d tries within %s, want %s", tries, took, least)
	}
}

// A namespace that is gone has no Secret to note.
func TestASecretThatWentIsLookedAtWithThoseBesideIt(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.r.Secrets = twoNames{everyName{g.c}}
	g.there("other-of-ours", true)
	secret := g.there("regcred", true)
	q := &added{}
	g.r.onSecret().Delete(t.Context(), event.TypedDeleteEvent[*corev1.Secret]{Object: secret}, q)
	if !samePlaces(q.places, inFirst("regcred", "other-of-ours")) {
		t.Errorf("%v", q.places)
	}
}
