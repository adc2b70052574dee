package vault

import (
	"net/http"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatComesLateOrFromAnotherTimeMovesTheGateOnlyAsItShould(t *testing.T) {
	sealed := func() *failure { return outcomeSealed.at("x") }
	later := readAt.Add(lastProbe)
	for _, test := range []struct {
		name    string
		act     func(g *gate)
		now     time.Time
		refused bool
	}{
		{"a good answer of before the failure opens nothing", func(g *gate) { g.leave(readAt, false, sealed()); g.leave(readAt, false, nil) }, readAt, true},
		{"nor does a failure of a path", func(g *gate) { g.leave(readAt, false, sealed()); g.leave(readAt, false, outcomeDenied.at("x")) }, readAt, true},
		{"a failure of a path shuts nothing", func(g *gate) { g.leave(readAt, false, outcomeDenied.at("x")) }, readAt, false},
		{"a good answer of before lets nobody probe beside the one who does", func(g *gate) {
			g.leave(readAt, false, sealed())
			g.enter(later)
			g.leave(later, false, nil)
		}, later, true},
		{"a failure of before that comes when it is time to probe puts that off", func(g *gate) {
			g.leave(readAt, false, sealed())
			g.leave(g.retryAt, false, sealed())
		}, readAt.Add(firstProbe), true},
		{"an open gate stays open though the clock goes back", func(g *gate) {
			g.leave(readAt, false, sealed())
			g.enter(later)
			g.leave(later, true, nil)
		}, readAt.Add(-time.Hour), false},
		{"a probe that fails after the clock went back counts", func(g *gate) {
			g.leave(readAt, false, sealed())
			g.enter(later)
			g.leave(readAt.Add(-time.Hour), true, sealed())
		}, readAt.Add(-time.Hour + lastProbe), false},
		{"a failure after the clock went back counts", func(g *gate) {
			g.leave(readAt, false, sealed())
			g.enter(later)
			g.leave(later, true, nil)
			g.leave(readAt.Add(-time.Hour), false, sealed())
		}, readAt.Add(-time.Hour), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var g gate
			test.act(&g)
			if refused := g.peek(test.now); (refused != nil) != test.refused {
				t.Errorf("it says %v", refused)
			}
		})
	}
}

func TestThoseWhoAreRefusedComeBackAtTimesOfTheirOwn(t *testing.T) {
	var g gate
	g.leave(readAt, false, outcomeSealed.at("x"))
	probes, waits, told := map[time.Time]bool{}, map[time.Duration]bool{}, map[time.Duration]bool{}
	for range 20 {
		_, refused := g.enter(readAt)
		waits[refused.wait] = true
		var other gate
		f := outcomeSealed.at("x")
		other.leave(readAt, false, f)
		probes[other.retryAt], told[f.wait-other.retryAt.Sub(readAt)] = true, true
	}
	if len(probes) < 2 || len(waits) < 2 || len(told) < 2 {
		t.Errorf("%d times of probes, %d waits, %d waits of those who met it first", len(probes), len(waits), len(told))
	}
	if spread(0) != 0 || spread(-time.Second) != 0 {
		t.Error("no time is spread over some")
	}
}

// An outage in which each answer takes long must not end the pause before it began.
func TestThePauseAfterAFailureIsCountedFromTheAnswer(t *testing.T) {
	server := newScripted(t)
	rig := newRig(t, server.URL)
	sealed := answers(503, `{"errors":["Vault is sealed"]}`)
	server.handle("/v1/auth/approle/login", func(w http.ResponseWriter, r *http.Request) {
		rig.pass(lastProbe)
		sealed(w, r)
	})
	rig.mustFail(atKV2, v1alpha1.ReasonSealed)
	asked := len(server.requests(""))
	if failure := rig.mustFail(atKV2, v1alpha1.ReasonSealed); failure.RetryAfter <= 0 || len(server.requests("")) != asked {
		t.Errorf("%d requests more, and the next one after %s", len(server.requests(""))-asked, failure.RetryAfter)
	}
}
