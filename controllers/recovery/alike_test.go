package recovery

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/verify"
)

// The status counts pods that are stuck, whatever is waited for.
func TestAPodThatWaitsIsCountedAsStuck(t *testing.T) {
	r, _ := cured(t)
	r.Tally.Note(looked)
	if err := r.Writer.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: "regcred"}}); err != nil {
		t.Fatal(err)
	}
	if look(t, r); r.Tally.Stuck("c-00") != 1 || r.memories.pods[looked].action != diagnosis.Wait {
		t.Errorf("%d are counted, and it is said to %s", r.Tally.Stuck("c-00"), r.memories.pods[looked].action)
	}
}

// What is bounded for a node is counted by nodes, and what is for a namespace by namespaces.
func TestTheBoundsOfNodesAndNamespacesAreTheirOwn(t *testing.T) {
	limits := Limits{NodePullsPerSecond: 1, NodeBurst: 1, NamespacePodsPerMinute: 1, PodsPerMinute: 100}
	for _, test := range []struct {
		name, node, namespace string
		want                  time.Duration
	}{
		{"both are others", "b", "web", 0}, {"the same node", "a", "web", time.Second}, {"the same namespace", "b", "shop", time.Minute}, {"both are the same", "a", "shop", time.Minute},
	} {
		var b budget
		b.reserve(limits, "first", "a", "shop", 1, start)
		if due := b.reserve(limits, "second", test.node, test.namespace, 1, start); due.Sub(start) != test.want {
			t.Errorf("%s: it waits %s, want %s", test.name, due.Sub(start), test.want)
		}
	}
}

// A time that a pod did not use is others' by now.
func TestATimeThatWasNotUsedIsVoidThoughNobodySweptIt(t *testing.T) {
	limits := Limits{NodePullsPerSecond: 0.1, NodeBurst: 1}
	var b budget
	b.reserve(limits, "late", "a", "shop", 1, start)
	b.reserve(limits, "other", "a", "shop", 1, start.Add(staleReservation))
	if due := b.reserve(limits, "late", "a", "shop", 1, start.Add(staleReservation-1)); !due.Equal(start) {
		t.Errorf("before that it may be acted on at %s", due)
	}
	if due := b.reserve(limits, "late", "a", "shop", 1, start.Add(staleReservation)); !due.After(start.Add(staleReservation)) {
		t.Errorf("it may be acted on at %s", due)
	}
}

// alike answers every question alike, and counts.
type alike struct {
	*int
	verify.Reason
}

func (c alike) Pull(_ context.Context, _ string, _ dockerconfig.Credential, _ ...string) []verify.Result {
	*c.int++
	return []verify.Result{{Reason: c.Reason}}
}

// Where a registry says nothing of use it is left alone for a while, too.
func TestWhatARegistryDidNotSayIsNotAskedAtOnceAgain(t *testing.T) {
	for _, reason := range []verify.Reason{verify.NotTestable, verify.Timeout, verify.Unreachable, verify.LoginFailed, verify.PullDenied, verify.ImageNotFound, verify.PullAllowed} {
		now, asks := start, 0
		r := asking(t, &now, alike{&asks, reason})
		question := diagnosis.Question{Credential: "hub", Key: "r.example", Image: "r.example/a"}
		first, _ := r.ask(t.Context(), "n", question)
		for range 3 {
			now = now.Add(silentFor / 4)
			if again, wait := r.ask(t.Context(), "n", question); again != first || wait != 0 {
				t.Errorf("%s: first %+v, then %+v", reason, first, again)
			}
		}
		if asks != 1 {
			t.Errorf("%s: it is asked %d times", reason, asks)
		}
	}
}

// What was told to a namespace holds for as long, whoever asks in between.
func TestWhatANamespaceWasToldIsNotForgottenBecauseAnotherOneAsks(t *testing.T) {
	now := start
	r := asking(t, &now, answers(func(image string) verify.Result {
		if image == "r.example/mine" {
			return verify.Result{Reason: verify.Timeout}
		}
		return verify.Result{Reason: verify.PullAllowed}
	}))
	question := diagnosis.Question{Credential: "hub", Key: "r.example", Image: "r.example/mine"}
	r.ask(t.Context(), "tenant", question)
	now = now.Add(silentFor / 2)
	question.Image = "r.example/a"
	if probe, _ := r.ask(t.Context(), "other", question); probe.Access != diagnosis.AccessAllowed {
		t.Errorf("another namespace is told %+v", probe)
	}
	question.Image = "r.example/b"
	if probe, _ := r.ask(t.Context(), "tenant", question); probe.Access != diagnosis.AccessUnknown {
		t.Errorf("half of its time later it is told %+v", probe)
	}
}

// A pod is known by its namespace and name, and a container by its name.
func TestACureWithoutAnAnswerIsSeenAtThePodAndTheContainersThatItWasOf(t *testing.T) {
	var u unanswered
	pod := ordinal("web", "pod", true)
	pod.Spec.Containers = []corev1.Container{{Name: "web", Image: "r.example/w:1"}, {Name: "side", Image: "r.example/w:1@sha256:1"}}
	verdict := diagnosis.Verdict{Action: diagnosis.Repull, Pins: []diagnosis.Pin{{Container: "web", Pinned: "r.example/w:1@sha256:1"}}}
	u.note(gathered{Facts: diagnosis.Facts{Now: start, Pod: pod}}, verdict)
	tried, known := u.of(client.ObjectKeyFromObject(pod), start)
	if !known || tried.carriedOut(pod) {
		t.Error("another container has the image that it was to have")
	}
	if _, known := u.of(types.NamespacedName{Namespace: "another", Name: pod.Name}, start); known {
		t.Error("it is known of a namesake in another namespace")
	}
}

// A credential that goes cures no pod: its entries are being removed.
func TestARegistryCredentialThatIsBeingDeletedIsNoneHere(t *testing.T) {
	r, seen := cured(t)
	var object v1alpha1.RegistryCredential
	if err := r.Cluster.Get(t.Context(), client.ObjectKey{Name: "c-00"}, &object); err != nil {
		t.Fatal(err)
	}
	object.Finalizers = []string{v1alpha1.Finalizer}
	if err := r.Writer.Update(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	if err := r.Writer.Delete(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	seen.deleted = nil
	if look(t, r); len(seen.deleted) > 0 {
		t.Error("the pod is restarted, and its successor lacks the credential as well")
	}
}

// What a registry may be asked is for the spec to say.
func TestWhatIsKnownOfAPublishedValue(t *testing.T) {
	r, _ := cured(t)
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "c-00", UID: "c-00"}}
	for mode, provable := range map[v1alpha1.VerificationMode]bool{"": true, v1alpha1.VerifyPull: true, v1alpha1.VerifyLogin: false, v1alpha1.VerifyDisabled: false} {
		object.Spec.Verification = &v1alpha1.Verification{Mode: mode}
		for _, prober := range []Prober{nil, alike{}} {
			r.Prober = prober
			if c := r.credential(object, looked.Namespace); c.Provable != (provable && prober != nil) || !c.Published || c.Revision != "1" || c.Digest != "d" {
				t.Errorf("%q, and a registry can be asked %t: %+v", mode, prober != nil, c)
			}
		}
	}
}

func TestAPodOfWhichNoSuccessorIsKnownIsRestartedWithoutADryRun(t *testing.T) {
	r, _ := cured(t)
	r.SuccessorFirst = true
	pod := thePod(t, r.Writer)
	pod.OwnerReferences[0].Kind, pod.OwnerReferences[0].APIVersion = "Robot", "robots.example/v1"
	if err := r.Writer.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if got, err := r.foresee(t.Context(), gathered{Facts: diagnosis.Facts{Pod: pod, Now: r.Now()}}, restarts); err != nil || got.Action != diagnosis.Restart {
		t.Errorf("%s (%s): %v", got.Action, got.Message, err)
	}
}
