package e2e

import (
	"testing"
	"time"
)

const (
	// freshWithin is how long a pod of a new namespace may take until it runs that needed no cure. Where pods whose Secret was there before
	// take long, three times their time counts: that is the node's work.
	freshWithin = 3 * time.Second
	// freshSettles is after what time of a change a pod is restarted that was created just then: times have whole seconds.
	freshSettles = 2 * time.Second
	// freshLag is the same for a pod that was created after that and still lacks the name: admission lags.
	freshLag = 11 * time.Second
	// freshWrite is how long regcred may take from a namespace to its Secret in the middle, freshSlowest at most, and freshAct until it acts on a
	// pod that it may restart. Where a plain client takes long to write a Secret there, a multiple of its time counts: the machine is busy.
	freshWrite, freshSlowest, freshAct = time.Second, 3 * time.Second, 2 * time.Second
)

// freshReport holds regcred to its own share: the time from a namespace to its Secret, and the time until it acts on a pod that missed it. Whether
// a pod is tried before its Secret is there is decided by the node: a kubelet asks for the Secret as soon as a pod is bound, and its next try is
// ten seconds and more later.
type freshReport struct {
	// news are the namespaces that were applied with their pods.
	news []*freshTimes
	// pull is how long pods took in a namespace whose Secret was there before.
	pull []time.Duration
}

func (r *freshReport) tell(t *testing.T) {
	t.Helper()
	var wrote, plain, acted, took, over []time.Duration
	missed, unnamed, waits := 0, 0, 0
	alone := quantile(r.pull, 0.95)
	for _, f := range r.news {
		wrote, plain = append(wrote, f.delivered.Sub(f.begun)), append(plain, f.plain.Sub(f.begun))
		took = append(took, f.took()...)
		for _, pod := range f.pods {
			if !pod.named {
				unnamed++
			}
			if !pod.stuck.IsZero() {
				missed++
			}
			if late, is := f.lateness(pod); is {
				acted = append(acted, late)
			}
			if !pod.stuck.IsZero() && !pod.owned {
				waits++ // nobody may delete it: it waits for the kubelet
				continue
			}
			over = append(over, f.beyond(pod, alone)...)
		}
	}
	t.Logf("measured: pods in a namespace whose Secret was there: p50 %s, p95 %s of %d pods", quantile(r.pull, 0.5), alone, len(r.pull))
	t.Logf("measured: pods of namespaces that were applied with them, from the first to running: p50 %s, p95 %s, at most %s of %d pods; %d were created without the name, "+
		"%d were tried before the Secret was there, of which %d wait for the kubelet", quantile(took, 0.5), quantile(took, 0.95), quantile(took, 1), len(took), unnamed, missed, waits)
	r.judgeWrites(t, wrote, plain)
	r.judgeCures(t, acted, plain)
	if late := quantile(over, 0.95); late > 0 {
		t.Errorf("95 of 100 pods run %s later than they may", late)
	}
}

// lateness is how long after it could regcred acted on a pod that missed the Secret, or how long after that the pod ran.
func (f *freshTimes) lateness(pod *freshPod) (late time.Duration, is bool) {
	if pod.stuck.IsZero() || !pod.owned {
		return 0, false
	}
	due := f.delivered.Add(freshSettles)
	if !pod.named && pod.seen.After(due) {
		due = f.delivered.Add(freshLag)
	}
	if pod.stuck.After(due) {
		due = pod.stuck
	}
	done := pod.acted
	if done.IsZero() || !pod.ran.IsZero() && pod.ran.Before(done) {
		done = pod.ran
	}
	return max(0, done.Sub(due)), true
}

// beyond is by how much a pod that runs took longer than it may. It may come in the place of one that missed the Secret.
func (f *freshTimes) beyond(pod *freshPod, alone time.Duration) []time.Duration {
	if pod.ran.IsZero() {
		return nil
	}
	within := max(freshWithin, 3*alone)
	for _, other := range f.pods {
		if !other.stuck.IsZero() && other.owned {
			within = max(freshWithin, 3*alone) + alone + freshSettles + freshAct
		}
	}
	return []time.Duration{max(0, pod.ran.Sub(f.first)-within)}
}

func (r *freshReport) judgeWrites(t *testing.T, wrote, plain []time.Duration) {
	t.Helper()
	middle, slowest := max(freshWrite, 4*quantile(plain, 0.5)), max(freshSlowest, 8*quantile(plain, 1))
	t.Logf("measured: from a namespace to its Secret: p50 %s, at most %s of %d; a plain client: p50 %s, at most %s (allowed: %s, %s)",
		quantile(wrote, 0.5), quantile(wrote, 1), len(wrote), quantile(plain, 0.5), quantile(plain, 1), middle, slowest)
	if quantile(wrote, 0.5) > middle || quantile(wrote, 1) > slowest {
		t.Errorf("regcred wrote the Secrets %v after their namespaces, want %s in the middle and %s at most", wrote, middle, slowest)
	}
}

func (r *freshReport) judgeCures(t *testing.T, acted, plain []time.Duration) {
	t.Helper()
	if len(acted) == 0 {
		return
	}
	within := freshAct + 4*quantile(plain, 0.95)
	t.Logf("measured: from when a pod that missed the Secret could be restarted to regcred acting: p50 %s, p95 %s of %d (at most %s)",
		quantile(acted, 0.5), quantile(acted, 0.95), len(acted), within)
	if quantile(acted, 0.95) > within {
		t.Errorf("regcred acts on 95 of 100 pods that missed the Secret after %v, want %s at most", acted, within)
	}
}
