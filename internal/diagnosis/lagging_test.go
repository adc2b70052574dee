package diagnosis

import (
	"fmt"
	"testing"
	"time"

	"regcred.dev/regcred/test/racedetector"
)

// lagging is a cluster in which admission learns of a change late, so that pods that are created after it lack the name, too.
type lagging struct {
	lacks []change
	// lag of admission after the change. Kubelet is how long after its creation a pod is found stuck. Ahead is the operator's clock, by which
	// the change is dated, before that of the API server, which dates pods.
	lag, kubelet, ahead time.Duration
}

// run lets half a minute pass, from the change on. It gives how often the pod of one replica was restarted, what was said last, and
// whether it got the name.
func (l lagging) run() (restarts int, said Reason, cured bool) {
	const step = 200 * time.Millisecond
	age := -10 * time.Minute // by the operator's clock, before the change
	for at := time.Duration(0); at < 30*time.Second; at += step {
		born := age.Truncate(time.Second) // by the API server's clock
		if age < born {
			born -= time.Second
		}
		if at < age+l.ahead+l.kubelet {
			continue
		}
		verdict := Diagnose(stuck(append(l.lacks, created(born), now(at))...))
		if said = verdict.Reason; verdict.Action != Restart {
			continue
		}
		restarts++
		if at >= l.lag {
			return restarts, said, true
		}
		age = at - l.ahead
	}
	return restarts, said, false
}

// Nothing remembers restarts, so there must be an end by the dates alone: three restarts of a replica for one change, of which the last comes
// eleven seconds after it. Clocks that are apart by less than a second are not told from clocks that agree: where that which dates the change
// is ahead, each of the three may be one more, as a kubelet needs a second to find that it cannot pull.
func TestAPodIsRestartedThreeTimesForAChangeHoweverLongAdmissionLags(t *testing.T) {
	racedetector.Skip(t)
	kubelets := []time.Duration{time.Second, 1700 * time.Millisecond, 2600 * time.Millisecond, 9 * time.Second}
	for _, clock := range []struct {
		ahead    time.Duration
		kubelets []time.Duration
		most     int
	}{
		{-900 * time.Millisecond, append(kubelets, 0, 300*time.Millisecond), 3},
		{0, append(kubelets, 0, 300*time.Millisecond), 3},
		{400 * time.Millisecond, kubelets, 6},
		{900 * time.Millisecond, kubelets, 6},
	} {
		most := 0
		for name, lacks := range map[string][]change{"ServiceAccounts": {withoutReference, because(anonymous)}, "Pods": {injectedSince(0)}} {
			for _, kubelet := range clock.kubelets {
				for lag := time.Duration(0); lag <= 14*time.Second; lag += 700 * time.Millisecond {
					l := lagging{lacks: lacks, lag: lag, kubelet: kubelet, ahead: clock.ahead}
					restarts, said, cured := l.run()
					most = max(most, restarts)
					where := fmt.Sprintf("%s, admission lags by %s, the kubelet by %s, the clock is %s ahead", name, lag, kubelet, clock.ahead)
					if restarts > clock.most {
						t.Errorf("%s: %d restarts", where, restarts)
					}
					if !cured && (lag <= admissionLag && kubelet <= time.Second && clock.ahead >= 0 || said != ReferenceNotAdded) {
						t.Errorf("%s: it is not cured, and the last word is %s", where, said)
					}
				}
			}
		}
		if clock.ahead == 0 && most != clock.most {
			t.Errorf("at most there are %d restarts: the bound is looser than what happens", most)
		}
	}
}
