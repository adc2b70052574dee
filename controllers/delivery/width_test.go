package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/width"
	"regcred.dev/regcred/test/manager"
)

// server takes so many writes of Secrets at once, and turns the others away.
type server struct {
	mu sync.Mutex
	// bears is how many it takes, now how many there are, and most how many there were at once.
	bears, now, most int
	// width is how many there may be, and narrowest the least that this was.
	width     func() int
	narrowest int
	// first keeps all writes until it is closed, so that the server has too much to do at first, however busy the machine is.
	first chan struct{}
	// held keeps the writes of namespaces that were there at the start until it is closed, nil where none is held.
	held chan struct{}
}

func (s *server) write(namespace string) error {
	s.mu.Lock()
	s.now++
	s.most, s.narrowest = max(s.most, s.now), min(s.narrowest, s.width())
	refused, held := s.now > s.bears, s.held
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}()
	<-s.first
	if held != nil && namespace < "new" {
		<-held
	}
	time.Sleep(10 * time.Millisecond) // what a write takes
	if refused {
		return apierrors.NewTooManyRequests("busy", 1)
	}
	return nil
}

func (s *server) set(bears int, held chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bears, s.held, s.most = bears, held, 0
}

func (s *server) see() (now, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.most
}

func (s *server) before(c client.Client) client.Client {
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, configuration runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if err := s.write("new"); err != nil {
				return err
			}
			return c.Apply(ctx, configuration, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if err := s.write(object.GetNamespace()); err != nil {
				return err
			}
			return c.Update(ctx, object, options...)
		},
	})
}

// awaitAll waits until all namespaces hold a text. Those that hold it keep it, so that each look begins where the last one ended.
func (g *rig) awaitAll(what string, namespaces int, text string) {
	g.t.Helper()
	holding := 0
	manager.Await(g.t, what, func() bool {
		for holding < namespaces && g.has(holding, text) {
			holding++
		}
		return holding == namespaces
	})
}

// TestAFanOutIsAsWideAsTheAPIServerBears: all namespaces are served by a server that turns writes away, and fewer are sent to it; a new one
// does not wait for a fan-out that hangs; and where the server is well again, the width is what it was.
func TestAFanOutIsAsWideAsTheAPIServerBears(t *testing.T) {
	const namespaces, bears = 100, 6
	g := newRig(t, namespaces, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	mgr, changed, api := manager.New(t, g.c.(client.WithWatch)), &wakeup.Notifier{}, &server{bears: bears, width: g.r.width.Now, narrowest: width.Most, first: make(chan struct{})}
	all := cached{everyName{g.c}, mgr.GetCache()}
	g.r.Secrets, g.r.ServiceAccounts, g.r.Writer = all, all, api.before(g.c)
	if err := g.r.SetupWithManager(mgr, changed, &wakeup.Notifier{}); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	manager.Await(t, "as many writes are made as may be", func() bool { now, _ := api.see(); return now == width.First })
	close(api.first)
	g.awaitAll("all are served", namespaces, `"one"`)
	if api.narrowest > 2*bears {
		t.Errorf("%d writes are made at once at a server that takes %d", api.narrowest, bears)
	}

	held := make(chan struct{})
	api.set(1000, held)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	changed.Notify("company")
	wide := 0
	manager.Await(t, "the fan-out hangs", func() bool {
		now, _ := api.see()
		wide = g.r.width.Now() // the last write of the first fan-out may have ended a round since
		return now == wide
	})
	if err := g.c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new", UID: "new", Labels: map[string]string{"team": "shop"}}}); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "a new namespace is served while it hangs", func() bool { return g.secret("new") != nil })
	if err := g.c.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "new", Name: "default"}}); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "so is its ServiceAccount, which comes later", func() bool {
		var account corev1.ServiceAccount
		return g.c.Get(t.Context(), client.ObjectKey{Namespace: "new", Name: "default"}, &account) == nil && lists(&account, "regcred")
	})
	wider := max(wide, g.r.width.Now()) // the write for the new namespace may have ended a round
	if now, most := api.see(); now < wide || now > wider || most > wider+1 {
		t.Errorf("%d writes were under way at once, of which %d still are, want %d to %d", most, now, wide, wider)
	}
	close(held)
	g.awaitAll("all have the new value", namespaces, `"two"`)

	api.set(1000, nil)
	for i := 3; g.r.width.Now() < width.Most && i < 20; i++ {
		password := fmt.Sprintf("password-%d", i)
		g.publish(record(t, "company", fmt.Sprintf("%d-x", i), password, "r.example"))
		changed.Notify("company")
		g.awaitAll("all have the next value", namespaces, password)
	}
	if got := g.r.width.Now(); got != width.Most {
		t.Errorf("the server is well again, and %d writes are made at once", got)
	}
}

func TestWhatAFailedWriteSaysOfTheAPIServer(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	for _, test := range []struct {
		name     string
		err      error
		narrower bool
	}{
		{"none", nil, false},
		{"it has too much to do", apierrors.NewTooManyRequests("busy", 1), true},
		{"it is not there", apierrors.NewServiceUnavailable("x"), true},
		{"it took too long", apierrors.NewTimeoutError("x", 1), true},
		{"something behind it took too long", apierrors.NewServerTimeout(secrets, "update", 1), true},
		{"it did not answer", fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{"somebody was faster", apierrors.NewConflict(secrets, "regcred", nil), false},
		{"the write is forbidden", apierrors.NewForbidden(secrets, "regcred", nil), false},
		{"a webhook does not answer", apierrors.NewInternalError(errors.New("failed calling webhook")), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &Reconciler{}
			for i := 0; r.width.Now() < width.Most; i++ {
				r.noteWrite(fmt.Sprint("before ", i), time.Millisecond, nil)
			}
			for i := range width.Most {
				r.noteWrite(fmt.Sprint(i), time.Millisecond, test.err)
			}
			if narrower := r.width.Now() < width.Most; narrower != test.narrower {
				t.Errorf("%d at once", r.width.Now())
			}
		})
	}
	r := &Reconciler{}
	for i := range 3 * width.Most { // answered at once, it says nothing of how long a write takes
		r.noteWrite(fmt.Sprint(i), 0, apierrors.NewConflict(secrets, "regcred", nil))
	}
	for i := range 3 * width.Most {
		r.noteWrite(fmt.Sprint(i), time.Second, nil)
	}
	if r.width.Now() < width.Most {
		t.Errorf("%d at once at a server that is far away", r.width.Now())
	}
}
