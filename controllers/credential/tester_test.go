package credential

import (
	"context"
	"sync/atomic"
	"testing"

	"regcred.dev/regcred/internal/rotation"
)

// A registry that is silent has more tests waiting than it has turns: one that waits for so long that it counts as lost is begun again.
func TestALoginStandsInLineForARegistryOnce(t *testing.T) {
	var tests tester
	ended, free := make(chan string, 100), make(chan struct{})
	tests.listen(t.Context(), func(credential string) { ended <- credential })
	silent := func(context.Context) []answered {
		<-free
		return nil
	}
	running := make(chan struct{}, testsAtOnce)
	for i := range testsAtOnce {
		tests.start(job{credential: "other", uid: "other", host: host, print: string(rune('a' + i)), ask: func(ctx context.Context) []answered {
			running <- struct{}{}
			return silent(ctx)
		}})
	}
	for range testsAtOnce {
		<-running
	}
	var asked atomic.Int32
	for _, question := range []string{"first", "second", "third"} {
		tests.start(job{credential: "company", uid: "uid", host: host, print: "one", ask: func(context.Context) []answered {
			asked.Add(1)
			return []answered{{account: accountAt("one"), question: question, answer: rotation.Answer{Verdict: rotation.Accepted}}}
		}})
	}
	close(free)
	for range testsAtOnce + 1 {
		<-ended
	}
	got := tests.take("company", "uid")
	if asked.Load() != 1 || len(got) != 1 || got[0].question != "third" {
		t.Errorf("the registry was asked %d times, and said %+v", asked.Load(), got)
	}
	tests.start(job{credential: "company", uid: "uid", host: host, print: "one", ask: func(context.Context) []answered { return nil }})
	<-ended // it may be asked again
	tests.mu.Lock()
	defer tests.mu.Unlock()
	if len(tests.asks) != 0 {
		t.Errorf("%d tests are remembered as waiting", len(tests.asks))
	}
}
