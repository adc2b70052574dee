package recovery

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/internal/diagnosis"
)

var errUnanswered = errors.New("connection reset by peer")

// A deletion whose answer was lost counts as any other once the pod is gone, and once. One that was not carried out is made again.
func TestARestartThatWasNotAnsweredIsToldWhenThePodIsGone(t *testing.T) {
	for _, carriedOut := range []bool{true, false} {
		r, seen := cured(t)
		pod := thePod(t, r.Writer)
		answering := r.Writer
		r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
			Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
				if !carriedOut {
					return errUnanswered
				}
				return errors.Join(c.Delete(ctx, object, options...), errUnanswered)
			},
		})
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); !errors.Is(err, errUnanswered) || r.Tally.Cured("c-00") > 0 {
			t.Errorf("carried out %t: %d are counted as cured: %v", carriedOut, r.Tally.Cured("c-00"), err)
		}
		r.Writer = answering
		for range 3 {
			look(t, r)
		}
		told := slices.DeleteFunc(slices.Clone([]string(seen.told)), func(one string) bool { return one != string(diagnosis.StaleCredential)+" at web" })
		if len(told) != 2 || r.Tally.Cured("c-00") != 1 || len(r.unanswered.m) > 0 { // at the pod before, and at its owner
			t.Errorf("carried out %t: told is %q, %d are counted as cured", carriedOut, seen.told, r.Tally.Cured("c-00"))
		}
		next := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "next", CreationTimestamp: metav1.NewTime(r.Now()), OwnerReferences: pod.OwnerReferences}}
		if expected := r.successors.expected["set"]; len(expected) != 1 || !r.successors.awaits(next) {
			t.Errorf("carried out %t: %d successors are waited for", carriedOut, len(expected))
		}
	}
}

// A pod that was pulled again without an answer is known to have been: it is not deleted while it pulls.
func TestWhatIsSeenOfACureThatWasNotAnswered(t *testing.T) {
	before := ordinal("web", "pod", true)
	before.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "r.example/i:1"}}
	before.Spec.Containers = []corev1.Container{{Name: "web", Image: "r.example/w:1"}, {Name: "side", Image: "r.example/s:1"}}
	pins := []diagnosis.Pin{{Container: "init", Pinned: "r.example/i:1@sha256:1"}, {Container: "web", Pinned: "r.example/w:1@sha256:2"}}
	pinned := func(count int) func(*corev1.Pod) *corev1.Pod {
		return func(pod *corev1.Pod) *corev1.Pod {
			for _, one := range []*corev1.Container{&pod.Spec.InitContainers[0], &pod.Spec.Containers[0]}[:count] {
				for _, pin := range pins {
					if pin.Container == one.Name {
						one.Image = pin.Pinned
					}
				}
			}
			return pod
		}
	}
	another := func(pod *corev1.Pod) *corev1.Pod { pod.UID = "another"; return pod }
	going := func(pod *corev1.Pod) *corev1.Pod { pod.DeletionTimestamp = ptr.To(metav1.Now()); return pod }
	for _, test := range []struct {
		name            string
		now             func(*corev1.Pod) *corev1.Pod
		after           time.Duration
		restart, repull bool
	}{
		{"it is as it was", func(pod *corev1.Pod) *corev1.Pod { return pod }, 0, false, false},
		{"it is gone", func(*corev1.Pod) *corev1.Pod { return nil }, seenWithin, true, false},
		{"it is gone, long after", func(*corev1.Pod) *corev1.Pod { return nil }, seenWithin + 1, false, false},
		{"it is being deleted", going, 0, true, false},
		{"another one has its name", func(pod *corev1.Pod) *corev1.Pod { return another(pinned(2)(pod)) }, 0, true, false},
		{"all images are pinned", pinned(2), 0, false, true},
		{"one image is pinned", pinned(1), 0, false, false},
	} {
		for action, want := range map[diagnosis.Action]bool{diagnosis.Restart: test.restart, diagnosis.Repull: test.repull} {
			r, _ := cured(t)
			at, change := r.Now(), start
			now := at
			r.Now = func() time.Time { return now }
			r.unanswered.note(gathered{Facts: diagnosis.Facts{Now: at, Pod: before}},
				diagnosis.Verdict{Action: action, Change: change, Pins: pins, Findings: []diagnosis.Finding{{Credential: "c-00", Action: action}}})
			now = at.Add(test.after)
			if err := r.hearOf(t.Context(), client.ObjectKeyFromObject(before), test.now(before.DeepCopy())); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			if got := r.successors.any(); got != want {
				t.Errorf("%s, after a %s: it counts as carried out: %t", test.name, action, got)
			}
			if repulled := r.successors.repulled(before.UID); action == diagnosis.Repull && repulled.Equal(change) != want {
				t.Errorf("%s: it is known to have been pulled again: %s", test.name, repulled)
			}
			if kept := len(r.unanswered.m) > 0; kept == want {
				t.Errorf("%s, after a %s: it is asked for once more: %t", test.name, action, kept)
			}
		}
	}
}

// A pod that runs by now was not deleted. No cache holds it.
func TestAPodThatRunsByNowWasNotDeletedWithoutAnAnswer(t *testing.T) {
	for action, want := range map[diagnosis.Action]bool{diagnosis.Restart: false, diagnosis.Repull: true} {
		r, _ := cured(t)
		before := ordinal("web", "pod", true)
		before.Spec.Containers = []corev1.Container{{Name: "web", Image: "r.example/w:1"}}
		runs := before.DeepCopy()
		runs.Status.Phase, runs.Spec.Containers[0].Image = corev1.PodRunning, "r.example/w:1@sha256:2"
		if err := r.Writer.Create(t.Context(), runs); err != nil {
			t.Fatal(err)
		}
		r.unanswered.note(gathered{Facts: diagnosis.Facts{Now: r.Now(), Pod: before}},
			diagnosis.Verdict{Action: action, Pins: []diagnosis.Pin{{Container: "web", Pinned: "r.example/w:1@sha256:2"}}})
		if err := r.hearOf(t.Context(), client.ObjectKeyFromObject(before), nil); err != nil || r.successors.any() != want {
			t.Errorf("a %s counts as carried out: %t, %v", action, r.successors.any(), err)
		}
		r.unanswered.note(gathered{Facts: diagnosis.Facts{Now: r.Now(), Pod: before}}, diagnosis.Verdict{Action: action})
		r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return errUnanswered
			},
		})
		if err := r.hearOf(t.Context(), client.ObjectKeyFromObject(before), nil); !errors.Is(err, errUnanswered) || len(r.unanswered.m) == 0 {
			t.Errorf("it cannot be read, and that is not tried again: %v", err)
		}
	}
}

func TestCuresThatWereNotAnsweredAreForgotten(t *testing.T) {
	var u unanswered
	for i, name := range []string{"a", "b", "c"} {
		u.note(gathered{Facts: diagnosis.Facts{Now: start.Add(time.Duration(i) * seenWithin), Pod: ordinal(name, types.UID(name), true)}}, diagnosis.Verdict{})
	}
	if len(u.m) != 2 {
		t.Errorf("%d are remembered, want those of the last minute", len(u.m))
	}
}

// While the API server answers nothing, each look may try another pod. What is remembered of them is bounded in number and in size, whatever the clock
// does and however large the pods are that a namespace's people made.
func TestCuresThatAreNotAnsweredAreRememberedWithinABound(t *testing.T) {
	var u unanswered
	large := map[string]string{"large": "x"}
	try := func(i int, at time.Time) types.NamespacedName {
		pod := ordinal("web-"+strconv.Itoa(i), types.UID(strconv.Itoa(i)), true)
		pod.Annotations = large
		owner := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "set", ResourceVersion: "7", Annotations: large}}
		u.note(gathered{Facts: diagnosis.Facts{Now: at, Pod: pod}, owners: []*metav1.PartialObjectMetadata{{}, owner}}, diagnosis.Verdict{})
		return client.ObjectKeyFromObject(pod)
	}
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Millisecond) }
	for i := range mostUnanswered + 10 {
		try(i, at(i))
		try(i, at(i)) // the queue tries again
	}
	now, last := at(mostUnanswered+9), types.NamespacedName{Namespace: "shop", Name: "web-" + strconv.Itoa(mostUnanswered+9)}
	for name, want := range map[string]bool{"web-9": false, "web-10": true, last.Name: true} {
		if _, known := u.of(types.NamespacedName{Namespace: "shop", Name: name}, now); known != want || len(u.m) != mostUnanswered {
			t.Errorf("%d are remembered, %s among them: %t", len(u.m), name, known)
		}
	}
	kept, _ := u.of(last, now)
	if top := kept.g.top(); top.Kind != "Deployment" || top.Namespace != "shop" || top.Name != "web" || top.UID != "set" || top.ResourceVersion != "7" || top.Annotations != nil || kept.g.Pod.Annotations != nil {
		t.Errorf("of the last one is remembered: %+v", kept.g)
	}
	for i := range mostUnanswered {
		if try(-i, now); len(u.m) > mostUnanswered {
			t.Fatalf("%d are remembered, of which many are of one moment", len(u.m))
		}
	}
	back := try(0, start.Add(-time.Hour))
	if _, known := u.of(back, start); known || len(u.m) != 1 {
		t.Errorf("the clock was set back, and %d are remembered; what was tried an hour before counts as lately: %t", len(u.m), known)
	}
	if _, known := u.of(back, start.Add(-time.Hour-seenWithin-1)); known {
		t.Error("the clock was set back, and what was tried counts as lately for as long as it was set back")
	}
}
