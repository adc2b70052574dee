package vault

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhileTheServerIsNotWellOneProbesForAll(t *testing.T) {
	var g gate
	now := readAt
	if probe, refused := g.enter(now); probe || refused != nil {
		t.Fatal("a fresh gate is not open")
	}
	g.leave(now, false, outcomeSealed.at("x"))

	if _, refused := g.enter(now.Add(time.Second)); refused == nil || refused.Outcome != outcomeSealed || refused.wait <= 0 {
		t.Fatalf("right after the failure: %v", refused)
	}
	later := now.Add(lastProbe)
	if probe, refused := g.enter(later); !probe || refused != nil {
		t.Fatalf("nobody may probe: %v", refused)
	}
	if probe, refused := g.enter(later); probe || refused == nil {
		t.Fatal("two probe at once")
	}
	g.leave(later, true, outcomeSealed.at("x"))
	if _, refused := g.enter(later); refused == nil {
		t.Fatal("open after a probe that failed")
	}
	later = later.Add(lastProbe)
	if probe, _ := g.enter(later); !probe {
		t.Fatal("nobody may probe a second time")
	}
	g.leave(later, true, outcomeNeverWritten.at("x")) // an answer, if not a good one
	if probe, refused := g.enter(later); probe || refused != nil {
		t.Fatal("shut after an answer")
	}
}

func TestWhoPeeksLearnsWhetherToEnter(t *testing.T) {
	shut := func(g *gate) { g.leave(readAt, false, outcomeSealed.at("x")) }
	later := readAt.Add(lastProbe)
	for _, test := range []struct {
		name    string
		before  func(g *gate)
		now     time.Time
		refused bool
	}{
		{"a gate that never was shut is worth a try", func(*gate) {}, readAt, false},
		{"one that was shut just now is not", shut, readAt.Add(time.Second), true},
		{"nor where the clock went back", shut, readAt.Add(-time.Hour), true},
		{"when it is time to probe it is", shut, later, false},
		{"while somebody probes it is not, though it is time", func(g *gate) { shut(g); g.enter(later) }, later, true},
		{"after a probe that failed it is not", func(g *gate) {
			shut(g)
			g.enter(later)
			g.leave(later, true, outcomeSealed.at("x"))
		}, later, true},
		{"after an answer to a probe it is", func(g *gate) {
			shut(g)
			g.enter(later)
			g.leave(later, true, outcomeNeverWritten.at("x"))
		}, later, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var g gate
			test.before(&g)
			for range 3 { // nobody's turn is taken by looking
				refused := g.peek(test.now)
				if (refused != nil) != test.refused {
					t.Fatalf("peek says %v", refused)
				}
				if refused == nil {
					continue
				}
				if left := max(g.retryAt.Sub(test.now), 0); refused.Outcome != outcomeSealed || refused.wait < left || refused.wait > left+othersSpread {
					t.Errorf("told %q and a wait of %s, with %s left", refused.Reason, refused.wait, left)
				}
			}
			if _, refused := g.enter(test.now); (refused != nil) != test.refused {
				t.Errorf("peek and enter do not agree: %v", refused)
			}
		})
	}
}

// Many find at the same moment that it is time to probe. One of them does, and the next turn comes in its time.
func TestOneOfManyReadersProbes(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	server.handle("/v1/auth/approle/login", answers(503, `{"errors":["Vault is sealed"]}`))
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	before := len(server.requests(""))
	for turn := range 5 {
		rig.pass(lastProbe)
		var readers sync.WaitGroup
		for i := range 100 {
			readers.Go(func() {
				_, failure := rig.readAged(v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint(i)}, time.Minute)
				if failure == nil || failure.Reason != v1alpha1.ReasonSealed || failure.RetryAfter <= 0 {
					t.Errorf("%+v", failure)
				}
			})
		}
		readers.Wait()
		if got := len(server.requests("")) - before; got != turn+1 {
			t.Fatalf("%d requests in %d turns", got, turn+1)
		}
	}
}

func TestProbesBecomeRarer(t *testing.T) {
	var g gate
	now := readAt
	g.leave(now, false, outcomeSealed.at("x"))
	var waits []time.Duration
	for range 6 {
		wait := g.retryAt.Sub(now)
		waits = append(waits, wait)
		now = g.retryAt
		if probe, _ := g.enter(now); !probe {
			t.Fatal("nobody may probe")
		}
		g.leave(now, true, outcomeSealed.at("x"))
	}
	for i, longest := range []time.Duration{2, 4, 8, 15, 15, 15} {
		longest *= time.Second
		if waits[i] > longest || waits[i] < longest*3/4 {
			t.Errorf("wait %d is %s, want up to %s", i, waits[i], longest)
		}
	}
}

func TestTheServerMaySayHowLongToWaitWithinReason(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{7 * time.Second: 7 * time.Second, 24 * time.Hour: longestPause} {
		var g gate
		f := outcomeRateLimitedFor.at("x")
		f.wait = asked
		g.leave(readAt, false, f)
		if got := g.retryAt.Sub(readAt); got != want {
			t.Errorf("waits %s where %s were asked for", got, asked)
		}
	}
}

// One path that is slow, or whose backend fails, is not an outage: others are read meanwhile.
func TestOneBadPathDoesNotShutTheGate(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(500, `{}`))
	server.handle("/v1/robots/creds/a", answers(200, `{"data":{"username":"u","password":"p"}}`))
	rig := newRig(t, server.URL)
	rig.mustFail(atKV2, v1alpha1.ReasonUnavailable)
	rig.mustRead(atDynamic)
}

func TestAfterAnOutageTheHealthIsAskedBeforeAnythingElse(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	sealed := answers(503, `{"errors":["Vault is sealed"]}`)
	server.handle("/v1/auth/approle/login", sealed)
	server.handle("/v1/sys/health", answers(503, sealedHealth))
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	logins := len(server.requests("/v1/auth/approle/login"))
	for range 100 {
		rig.pass(lastProbe)
		rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	}
	if more := len(server.requests("/v1/auth/approle/login")) - logins; more != 0 {
		t.Errorf("%d logins at a sealed server", more)
	}
	if probes := len(server.requests("/v1/sys/health")); probes != 100 {
		t.Errorf("%d probes", probes)
	}
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer(testToken)))
	server.handle("/v1/sys/health", answers(200, `{"initialized":true,"version":"1.14.0"}`))
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig.pass(lastProbe)
	rig.mustRead(atKV2)
}

func TestACallerWhoGivesUpDoesNotEndTheReadOfOthers(t *testing.T) {
	server := newScripted(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	server.handle("/v1/secret/data/a", blocking(asked, goOn, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	request := requestFor(atKV2, time.Minute)

	first, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := rig.Read(first, request); left <- err }()
	<-asked
	second := make(chan error)
	go func() { _, err := rig.Read(t.Context(), request); second <- err }()
	cancel()
	if err := <-left; err == nil {
		t.Error("the first caller got an answer that was not there yet")
	}
	close(goOn)
	if err := <-second; err != nil {
		t.Errorf("the second caller: %v", err)
	}
	if n := len(server.requests("/v1/secret/data/a")); n != 1 {
		t.Errorf("%d reads", n)
	}
}

// A hundred reads can be under way when a server fails: those that end later tell nothing new.
func TestAStragglerDoesNotPutTheNextProbeOff(t *testing.T) {
	var g gate
	g.leave(readAt, false, outcomeSealed.at("x"))
	next := g.retryAt
	for i := range 100 {
		g.leave(readAt.Add(time.Duration(i)*time.Millisecond), false, outcomeSealed.at("x"))
	}
	if !g.retryAt.Equal(next) {
		t.Errorf("the next probe is put off by %s", g.retryAt.Sub(next))
	}
	if probe, _ := g.enter(next); !probe {
		t.Error("nobody may probe at its time")
	}
}

// How many leases a mount may have is the matter of that mount, and no wish for fewer requests: what is read elsewhere is read as always. The words
// are those of https://github.com/hashicorp/terraform-provider-vault/issues/1057; Vault answers 429, see hashicorp/vault#25570.
func TestALeaseCountQuotaOfOneMountShutsNoGate(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	server.handle("/v1/robots/creds/a", answers(429, `{"errors":["1 error occurred:\n\t* request path \"robots/creds/a\": lease count quota exceeded\n\n"]}`))
	rig := newRig(t, server.URL)
	failure := rig.mustFail(atDynamic, v1alpha1.ReasonRateLimited)
	if strings.Contains(failure.Message, "requestsPerSecond") || !strings.Contains(failure.Message, "lease") {
		t.Errorf("said %s", failure.Message)
	}
	rig.mustRead(atKV2)
}
