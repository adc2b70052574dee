package recovery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/racedetector"
)

func later(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func TestWhatIsRememberedOfPodsIsUsedByManyAtOnce(t *testing.T) {
	web := types.NamespacedName{Namespace: "shop", Name: "web"}
	named := func(n int) types.NamespacedName {
		return types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(n)}
	}
	var m memories
	racedetector.AtOnce(
		func(n int) { m.news(named(n), "u", diagnosis.Verdict{}) }, func(int) { m.news(web, "u", diagnosis.Verdict{}) },
		func(n int) { m.forget(named(n)) }, func(int) { m.knows(web) },
	)
	var o ordinals
	claim := func(set types.UID) func(int) {
		return func(n int) { o.claim(set, nil, turn{pod: named(n), uid: "u", since: later(n)}) }
	}
	racedetector.AtOnce(claim("one"), claim("two"))
	var r runners
	racedetector.AtOnce(
		func(n int) { r.add(named(n)) }, func(n int) { r.remove(named(n)) }, func(int) { r.knows(web) }, func(int) { r.in("shop") },
		func(int) { r.begin() }, func(int) { r.begin() }, func(int) { r.end() },
	)
	var f refusal
	racedetector.AtOnce(func(n int) { f.set(later(n)) }, func(n int) { f.set(later(n)) }, func(n int) { f.holds(later(n)) })
	var b budget
	reserve := func(node string) func(int) {
		return func(n int) { b.reserve(Limits{}, types.UID(fmt.Sprint(node, n)), node, "shop", 1, later(n)) }
	}
	racedetector.AtOnce(reserve("a"), reserve("b"), func(n int) { b.release(types.UID(fmt.Sprint("a", n))) })
}

func TestWhoIsExpectedToRunIsKnownToManyAtOnce(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "pod", CreationTimestamp: metav1.NewTime(start.Add(time.Hour)), OwnerReferences: []metav1.OwnerReference{{UID: "owner", Controller: ptr.To(true)}}}}
	running := pod.DeepCopy()
	running.Status.Phase = corev1.PodRunning
	restart, repull := diagnosis.Verdict{Action: diagnosis.Restart}, diagnosis.Verdict{Action: diagnosis.Repull}
	var s successors
	racedetector.AtOnce(
		func(n int) { s.expect(pod, restart, later(n)) }, func(n int) { s.expect(pod, repull, later(n)) }, func(int) { s.repulled("pod") },
		func(int) { s.restartedFor(pod) }, func(int) { s.any() }, func(int) { s.awaits(pod) }, func(n int) { s.arrived(running, later(n)) },
	)
}

func TestWhatRegistriesSaidIsUsedByManyAtOnce(t *testing.T) {
	var p probes
	of := func(n int) asked { return asked{value: fmt.Sprint(n)} }
	racedetector.AtOnce(
		func(n int) { p.keep(of(n), answer{until: start}, start) }, func(n int) { p.keep(of(-n), answer{until: start}, start) }, func(n int) { p.known(of(n), start) },
		func(n int) { p.login(fmt.Sprint(n), start) }, func(n int) { p.login("same", start) },
	)
	l := newLogin()
	ask := func(namespace string) func(int) {
		return func(n int) {
			if _, known, wait := l.begin(namespace, later(n)); !known && wait == 0 {
				l.end(namespace, false, verify.PullAllowed, &answer{})
			}
		}
	}
	racedetector.AtOnce(ask("a"), ask("b"), func(n int) { l.idle(later(n)) })
}

// absent is a cluster in which there is nothing.
type absent struct{ client.Reader }

func (absent) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("there is none")
}

func TestPodsAreWokenByManyAtOnce(t *testing.T) {
	var w woken
	racedetector.AtOnce(
		func(int) { w.begin("a") }, func(n int) { w.begin(fmt.Sprint(n)) }, func(int) { w.rests("a") }, func(int) { w.end("a") }, func(n int) { w.end(fmt.Sprint(n)) },
	)
	var h heard
	hear := func(namespace string) func(int) {
		return func(n int) {
			h.news(delivered.Place{Namespace: namespace, Name: "regcred"}, "company", delivered.Delivery{Generation: int64(n)})
		}
	}
	racedetector.AtOnce(hear("a"), hear("b"))
	r, notifier := &Reconciler{Cluster: absent{}}, &wakeup.Notifier{}
	if err := r.onNotice(notifier, anywhere).Start(t.Context(), queue(nil)); err != nil {
		t.Fatal(err)
	}
	notify := func(n int) {
		notifier.Notify(fmt.Sprint(n))
		time.Sleep(2 * collect / 30) // as long as it takes until those who were named are looked at
	}
	racedetector.AtOnce(notify, notify)
}
