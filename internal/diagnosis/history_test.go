package diagnosis

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/test/racedetector"
)

// world is one replica of a workload over a stretch of time, with everything that can go wrong around it.
type world struct {
	random *rand.Rand
	now    time.Time
	facts  Facts
	pods   int
	// attached says since when the ServiceAccount names the Secret, zero where it does not.
	attached time.Time
	// strips is a webhook that takes pull secrets out of every pod.
	strips bool
	// lag is for how long after the attachment admission does not see it.
	lag time.Duration
	// good says whether the current value opens the image.
	good     bool
	restarts map[string]int
}

// TestAPodIsRestartedOncePerChange lets many workloads go through random histories: values that do not help, attachments that come
// and go, admission that lags, webhooks that strip the reference, people who delete pods.
func TestAPodIsRestartedOncePerChange(t *testing.T) {
	racedetector.Skip(t)
	for seed := range uint64(40) {
		w := newWorld(seed)
		for range 150 {
			w.step()
		}
		for change, count := range w.restarts {
			limit := 2            // once for its age, once for its second: the operator forgot its restarts
			if change[0] == 'a' { // attached: once for the lag of admission, too
				limit = 3
			}
			if count > limit {
				t.Fatalf("seed %d: %d restarts for the change %s, want at most %d", seed, count, change, limit)
			}
		}
	}
}

// TestAPodThatACredentialCuresRunsInTheEnd: in the same world with a good value and no saboteur every pod gets it.
func TestAPodThatACredentialCuresRunsInTheEnd(t *testing.T) {
	racedetector.Skip(t)
	for seed := range uint64(40) {
		w := newWorld(seed)
		w.strips = false
		for range 100 {
			w.step()
		}
		w.good = true
		w.change()
		if w.attached.IsZero() {
			w.attach()
		}
		for range 60 {
			w.tick(time.Second)
			w.look()
		}
		// A pod with the reference that was created before the last change has been restarted, or pulls at the kubelet's next try.
		if !w.runs() && !refersTo(w.facts.Pod, "regcred") {
			t.Fatalf("seed %d: the pod still lacks the reference a minute later: %+v", seed, Diagnose(w.facts))
		}
	}
}

func newWorld(seed uint64) *world {
	short := waits("ErrImagePull", "unauthorized: authentication required") // long messages take long to read
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), now: noon, facts: stuck(short), restarts: map[string]int{}}
	w.strips = w.random.IntN(4) == 0
	w.lag = time.Duration(w.random.IntN(9000)) * time.Millisecond
	w.facts.Account.PullSecrets, w.facts.Account.Attached = nil, map[string]time.Time{}
	w.admit()
	return w
}

func (w *world) step() {
	w.tick(time.Duration(w.random.IntN(2500)) * time.Millisecond)
	switch w.random.IntN(40) {
	case 0:
		w.good = w.random.IntN(3) == 0
		w.change()
	case 1:
		w.attach()
	case 2:
		w.attached = time.Time{}
		w.facts.Account.PullSecrets = nil
		delete(w.facts.Account.Attached, "regcred")
	case 3:
		w.admit() // a person deletes the pod
	}
	w.look()
}

func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	w.facts.Now = w.now
}

func (w *world) change() {
	source := w.facts.Secrets["regcred"].Sources["shop"]
	source.Changed = metav1.NewTime(w.now.Truncate(time.Second))
	w.facts.Secrets["regcred"].Sources["shop"] = source
}

func (w *world) attach() {
	if !w.attached.IsZero() {
		return
	}
	w.attached = w.now
	w.facts.Account.PullSecrets = []string{"regcred"}
	w.facts.Account.Attached["regcred"] = w.now.Truncate(time.Second)
}

// admit creates the next pod as the API server does: its time in whole seconds, its pull secrets from the ServiceAccount that
// admission sees.
func (w *world) admit() {
	w.pods++
	pod := w.facts.Pod.DeepCopy()
	pod.Name = fmt.Sprintf("web-%d", w.pods)
	pod.CreationTimestamp = metav1.NewTime(w.now.Truncate(time.Second))
	pod.Spec.ImagePullSecrets = nil
	if !w.attached.IsZero() && w.now.Sub(w.attached) >= w.lag && !w.strips {
		pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "regcred"}}
	}
	w.facts.Pod = pod
}

// runs: the pod had a good value when it was created.
func (w *world) runs() bool {
	return w.good && refersTo(w.facts.Pod, "regcred") && !w.facts.Pod.CreationTimestamp.Time.Before(w.facts.Secrets["regcred"].Sources["shop"].Changed.Time)
}

// look diagnoses the pod, and does what the verdict says.
func (w *world) look() {
	if w.runs() {
		return
	}
	verdict := Diagnose(w.facts)
	if verdict.Action != Restart {
		return
	}
	kind := "changed"
	if verdict.Reason == MissingReference {
		kind = "attached"
	}
	w.restarts[kind+" "+verdict.Change.String()]++
	w.tick(200 * time.Millisecond)
	w.admit()
}

func FuzzDiagnose(f *testing.F) {
	f.Add("ImagePullBackOff", refused, `{"regcred":"2026-03-01T12:00:00Z"}`)
	f.Add("illegal base64 data at input byte 0", "", `null`)
	f.Add("ErrImagePull", hidden, `{`)
	f.Fuzz(func(t *testing.T, reason, message, annotation string) {
		account := NewAccount(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default",
			Annotations: map[string]string{"regcred.dev/attached": annotation}}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}}})
		for _, facts := range []Facts{stuck(waits(reason, message)), stuck(waits(reason, message), withoutReference, func(f *Facts) { f.Account = account })} {
			verdict := Diagnose(facts)
			if verdict.Action == "" || verdict.Reason == "" || verdict.Message == "" {
				t.Errorf("an empty verdict: %+v", verdict)
			}
			if verdict.Action == Restart && !IsStuck(facts.Pod) {
				t.Error("a pod that is not stuck would be restarted")
			}
		}
	})
}
