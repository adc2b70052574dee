package recovery

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/internal/verify"
)

// Whoever waits for its turn does not wait for a clock that was set back, however many were served just before.
func TestATurnDoesNotWaitForAClockThatWasSetBack(t *testing.T) {
	limits := Limits{NodePullsPerSecond: 1, NodeBurst: 1, NamespacePodsPerMinute: 3, PodsPerMinute: 3}
	for _, test := range []struct{ back, most time.Duration }{{0, 2 * time.Minute}, {time.Minute, 3 * time.Minute}, {time.Minute + 1, 2 * time.Second}, {time.Hour, 2 * time.Second}} {
		var b budget
		for i := range 5 {
			b.reserve(limits, types.UID(strconv.Itoa(i)), "node", "shop", 1, start)
		}
		now := start.Add(-test.back)
		for _, uid := range []types.UID{"4", "late"} {
			if wait := b.reserve(limits, uid, "node", "shop", 1, now).Sub(now); wait > test.most || test.back <= time.Minute && wait < time.Minute {
				t.Errorf("the clock was set back by %s, and pod %s waits %s", test.back, uid, wait)
			}
		}
		if !b.swept.Equal(now) && test.back > time.Minute {
			t.Errorf("it is begun again at each look: %s", b.swept)
		}
	}
}

func TestATurnOfAnOrdinalIsNoLongerWhereTheClockWasSetBack(t *testing.T) {
	unread := interceptor.NewClient(nil, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("gone, and its successor is not there")
		},
	})
	for after, want := range map[time.Duration]bool{ordinalTimeout - 1: false, ordinalTimeout: true, 1 - ordinalTimeout: false, -time.Hour: true} {
		var o ordinals
		pod := func(name string) *corev1.Pod { return ordinal(name, types.UID(name), true) }
		if mine, _ := o.take(t.Context(), unread, "set", pod("web-0"), start); !mine {
			t.Fatal("the first one has no turn")
		}
		if mine, _ := o.take(t.Context(), unread, "set", pod("web-1"), start.Add(after)); mine != want {
			t.Errorf("after %s it is the turn of the next one: %t", after, mine)
		}
	}
}

// What an API server refused, or a registry answered, is remembered for as long as it says, and for no longer where the clock was set back.
func TestWhatWasAnsweredHoldsForNoLongerWhereTheClockWasSetBack(t *testing.T) {
	var refused refusal
	refused.set(start)
	given := probeOf(verify.Result{Reason: verify.LoginFailed}, start)
	for after, want := range map[time.Duration]bool{0: true, refusedAgain - 1: true, refusedAgain: false, -time.Minute: true, -time.Minute - 1: false, -time.Hour: false} {
		now := start.Add(after)
		if got := refused.holds(now); got != want {
			t.Errorf("after %s the refusal holds: %t", after, got)
		}
		var p probes
		p.keep(asked{value: "print"}, given, start)
		if _, got := p.known(asked{value: "print"}, now); got != want {
			t.Errorf("after %s the answer holds: %t", after, got)
		}
		l := newLogin()
		if _, known, wait := l.begin("shop", start); known || wait > 0 {
			t.Fatal("nobody may ask")
		}
		l.end("shop", true, verify.LoginFailed, &given)
		if _, got, _ := l.begin("shop", now); got != want {
			t.Errorf("after %s the value counts as refused: %t", after, got)
		}
	}
}
