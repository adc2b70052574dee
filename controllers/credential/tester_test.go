package credential

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

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

func TestARegistryThatIsSilentTakesNoTurnOfAnotherAndNobodyIsAskedAfterTheEnd(t *testing.T) {
	synctest.Test(t, besideASilentRegistry)
}

func besideASilentRegistry(t *testing.T) {
	var tests tester
	process, end := context.WithCancel(t.Context())
	tests.listen(process, func(string) {})
	for i := range testsAtOnce + 1 {
		tests.start(job{credential: "other", uid: "other", host: "silent.example", print: string(rune('a' + i)), ask: func(ctx context.Context) []answered {
			<-ctx.Done()
			return nil
		}})
	}
	synctest.Wait() // until they have all its turns
	tests.start(job{credential: "company", uid: "uid", host: host, print: "one", ask: func(context.Context) []answered { return []answered{{}} }})
	synctest.Wait()
	if got := tests.take("company", "uid"); len(got) != 1 {
		t.Errorf("another registry is silent, and this one gave %d answers", len(got))
	}
	end()
	synctest.Wait()
	if len(tests.hosts) > 0 {
		t.Errorf("after the end of the process %d registries are asked", len(tests.hosts))
	}
}
