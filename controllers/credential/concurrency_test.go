package credential

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// atOnce does some things at once, each again and again. The race detector looks on.
func atOnce(things ...func(n int)) {
	var group sync.WaitGroup
	for _, thing := range things {
		group.Go(func() {
			for n := range 30 {
				thing(n)
			}
		})
	}
	group.Wait()
}

// unread is a cluster that cannot be read.
type unread struct{ client.Client }

func (unread) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("away")
}

func TestWhatIsRememberedIsUsedByManyAtOnce(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	object, again := &v1alpha1.RegistryCredential{}, &v1alpha1.RegistryCredential{}
	object.Name, object.UID, again.Name, again.UID = "company", "one", "company", "two"
	var m memories
	atOnce(
		func(int) { m.wake("company", now) }, func(n int) { m.wake(fmt.Sprint(n), now) }, func(int) { m.tell("company", source.News{Time: now}, now) },
		func(int) { m.of(object, now) }, func(int) { m.of(again, now) }, func(int) { m.forget("company") },
	)
	news, r := &News{}, &Reconciler{Client: unread{}}
	atOnce(
		func(int) { news.Tell(source.News{Time: now}) }, func(int) {
			if err := news.listen(r).Start(t.Context(), queue(nil)); err != nil {
				t.Error(err)
			}
		},
	)
}

func TestRegistriesAreAskedByManyAtOnce(t *testing.T) {
	var tests tester
	ask := func(context.Context) []answered { return []answered{{}} }
	start := func(credential, host string) func(int) {
		return func(n int) {
			tests.start(job{credential: credential, uid: "uid", host: host, print: fmt.Sprint(credential, n%3), ask: ask})
		}
	}
	tests.listen(t.Context(), func(string) {})
	atOnce(
		start("company", "a.example"), start("company", "b.example"), start("other", "a.example"),
		func(int) { tests.take("company", "uid") }, func(int) { tests.listen(t.Context(), func(string) {}) },
	)
	for ended := false; !ended; time.Sleep(time.Millisecond) {
		tests.mu.Lock()
		ended = len(tests.hosts) == 0 && len(tests.asks) == 0
		tests.mu.Unlock()
	}
}
