package credential

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/racedetector"
)

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
	racedetector.AtOnce(
		func(int) { m.wake("company", now) }, func(n int) { m.wake(fmt.Sprint(n), now) }, func(int) { m.tell("company", source.News{Time: now}, now) },
		func(int) { m.of(object, now) }, func(int) { m.of(again, now) }, func(int) { m.forget("company") },
	)
	news, r := &News{}, &Reconciler{Client: unread{}}
	racedetector.AtOnce(
		func(int) { news.Tell(source.News{Time: now}) }, func(int) {
			if err := news.listen(r).Start(t.Context(), queue(nil)); err != nil {
				t.Error(err)
			}
		},
	)
}

func TestRegistriesAreAskedByManyAtOnce(t *testing.T) { synctest.Test(t, askedByMany) }

func askedByMany(t *testing.T) {
	var tests tester
	ask := func(context.Context) []answered { return []answered{{}} }
	start := func(credential, host string) func(int) {
		return func(n int) {
			tests.start(job{credential: credential, uid: "uid", host: host, print: fmt.Sprint(credential, n%3), ask: ask})
		}
	}
	tests.listen(t.Context(), func(string) {})
	racedetector.AtOnce(
		start("company", "a.example"), start("company", "b.example"), start("other", "a.example"),
		func(int) { tests.take("company", "uid") }, func(int) { tests.listen(t.Context(), func(string) {}) },
	)
	synctest.Wait() // until no test is under way
	if len(tests.hosts) > 0 || len(tests.asks) > 0 {
		t.Errorf("%d hosts and %d tests are left", len(tests.hosts), len(tests.asks))
	}
}
