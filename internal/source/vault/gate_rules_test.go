package vault

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

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

func TestWhoeverIsRefusedHasAWaitOfTheirOwn(t *testing.T) {
	var g gate
	g.leave(readAt, false, outcomeSealed.at("x"))
	first := g.peek(readAt)
	wait := first.wait
	_, second := g.enter(readAt.Add(time.Second))
	if first == second || first.wait != wait || second.Outcome != outcomeSealed {
		t.Errorf("one waits %s, and then %s: %+v", wait, first.wait, second)
	}
}

func TestAFailureThatComesLateIsNotWhatOthersAreTold(t *testing.T) {
	var g gate
	g.leave(readAt, false, outcomeSealed.at("x"))
	g.leave(readAt, false, outcomeUnreachable.at("x"))
	if told := g.peek(readAt); told == nil || told.Outcome != outcomeSealed {
		t.Errorf("they are told %v", told)
	}
}

func TestAfterARecoveryThePausesBeginAgain(t *testing.T) {
	var g gate
	now, probe := readAt, false
	for range 6 {
		g.leave(now, probe, outcomeSealed.at("x"))
		now = g.retryAt
		var refused *failure
		if probe, refused = g.enter(now); !probe || refused != nil {
			t.Fatalf("after the pause nobody may probe: %v", refused)
		}
	}
	g.leave(now, probe, nil)
	if g.leave(now, false, outcomeSealed.at("x")); g.retryAt.Sub(now) > firstProbe {
		t.Errorf("the first pause after a recovery is %s", g.retryAt.Sub(now))
	}
}

// Whoever waits for the connection's own limit must be told of it, and keeps a worker no longer than a request may.
func TestOwnLimitIsToldOfAtOnceWhereARequestWouldWaitForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connection{limiter: rate.NewLimiter(rate.Every(time.Hour), 1), spec: v1alpha1.VaultConnectionSpec{TimeoutSeconds: new(int32(3))}}
		asked, began := 0, time.Now()
		ask := func(context.Context) (*answer, error) { asked++; return &answer{status: http.StatusOK}, nil }
		for i, want := range []Outcome{{}, outcomeOwnLimit} {
			_, f := c.sendOnce(t.Context(), "x", ask)
			if f == nil != (i == 0) || f != nil && f.Outcome != want || asked != 1 {
				t.Errorf("request %d: %v, asked %d times", i+1, f, asked)
			}
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestTheVersionOfAServerIsWhatItSaidLast(t *testing.T) {
	c := &connection{}
	for _, body := range []string{`{"initialized":true,"version":"1.14.0"}`, `{}`, `<html>`, ""} {
		if sick := c.unwell([]byte(body)); sick != nil || c.version != "1.14.0" {
			t.Errorf("after %q it is %q, %v", body, c.version, sick)
		}
	}
}
