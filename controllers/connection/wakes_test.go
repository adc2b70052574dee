package connection

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
	"regcred.dev/regcred/test/manager"
)

// looks notes which connections are looked at.
type looks chan string

func (l looks) Check(_ context.Context, connection *v1alpha1.VaultConnection) (State, error) {
	l <- connection.Name
	return State{}, nil
}

// next is what is looked at next, "" where nothing is for a while.
func (l looks) next(wait time.Duration) string {
	select {
	case name := <-l:
		return name
	case <-time.After(wait):
		return ""
	}
}

func TestWhatHasAConnectionLookedAt(t *testing.T) {
	const soon, never = 20 * time.Second, 300 * time.Millisecond
	g, seen, troubled := newRig(t), make(looks, 100), &wakeup.Notifier{}
	g.r.Checker, g.r.Watchdog = seen, &watchdog.Watchdog{}
	mgr := manager.New(t, g.c.(client.WithWatch))
	if err := g.r.SetupWithManager(mgr, troubled); err != nil {
		t.Fatal(err)
	}
	manager.Start(t, mgr)
	if got := seen.next(soon); got != "default" {
		t.Fatalf("at the start %q is looked at", got)
	}
	change := func(change func(*v1alpha1.VaultConnection)) {
		t.Helper()
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the controller writes the status
			var object v1alpha1.VaultConnection
			if err := g.c.Get(t.Context(), client.ObjectKey{Name: "default"}, &object); err != nil {
				return err
			}
			change(&object)
			return g.c.Update(t.Context(), &object)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	change(func(object *v1alpha1.VaultConnection) { object.Labels = map[string]string{"a": "b"} }) // no generation
	if got := seen.next(never); got != "" {
		t.Errorf("%q is looked at though its spec did not change", got)
	}
	change(func(object *v1alpha1.VaultConnection) { object.Generation++ })
	if got := seen.next(soon); got != "default" {
		t.Errorf("its spec changed, and %q is looked at", got)
	}
	troubled.Notify("default")
	if got := seen.next(soon); got != "default" {
		t.Errorf("its readers see another state, and %q is looked at", got)
	}
	if g.r.Watchdog.Stalled() != 0 {
		t.Error("it stands still")
	}
}
