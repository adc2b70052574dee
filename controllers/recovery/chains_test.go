package recovery

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/inmemory"
)

func owner(kind, name string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: name, UID: types.UID(name)}}
	object.Kind = kind
	return object
}

// ownedBy are the facts of a pod of so many containers, with a chain of owners, the pod's controller first.
func ownedBy(name string, containers int, owners ...*metav1.PartialObjectMetadata) gathered {
	g := gathered{Facts: diagnosis.Facts{Now: start, Pod: ordinal(name, types.UID(name), true)}, owners: owners}
	g.Pod.Namespace, g.Pod.Spec.NodeName = looked.Namespace, "node"
	g.Pod.Spec.Containers = make([]corev1.Container, containers)
	for _, object := range owners {
		g.Owners = append(g.Owners, diagnosis.Owner{Kind: object.Kind, Name: object.Name})
	}
	return g
}

var restarts = diagnosis.Verdict{Action: diagnosis.Restart, Reason: diagnosis.StaleCredential, Findings: []diagnosis.Finding{{Credential: "c-00", Action: diagnosis.Restart}}}

// People know a pod by what they wrote, and watch that. The ReplicaSet between is nobody's.
func TestWhatIsAboutToBeDoneIsToldAtThePodAndWhatWasDoneAtItsTopOwner(t *testing.T) {
	r, seen := cured(t)
	g := ownedBy("pod", 1, owner("ReplicaSet", "between"), owner("Deployment", "top"))
	r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			if !slices.Equal(seen.told, told{"StaleCredential at pod"}) {
				t.Errorf("before the pod goes told is %q", seen.told)
			}
			return nil
		},
	})
	if _, err := r.act(t.Context(), g, restarts); err != nil || !slices.Equal(seen.told, told{"StaleCredential at pod", "StaleCredential at top"}) {
		t.Errorf("told: %q, %v", seen.told, err)
	}
}

// A custom resource can own several StatefulSets. Each has an order of its own.
func TestAStatefulSetHasItsTurnsWhateverOwnsIt(t *testing.T) {
	r, _ := cured(t)
	top := owner("Cluster", "top")
	for _, test := range []struct {
		pod, set string
		want     diagnosis.Reason
	}{{"a-0", "a", ""}, {"b-0", "b", ""}, {"a-1", "a", diagnosis.OrdinalInProgress}} {
		held, err := r.hold(t.Context(), ownedBy(test.pod, 1, owner("StatefulSet", test.set), top), restarts)
		if err != nil || (held == nil) != (test.want == "") || held != nil && held.Reason != test.want {
			t.Errorf("%s of %s: %+v, %v", test.pod, test.set, held, err)
		}
	}
	if _, waits := r.budget.due["a-1"]; waits {
		t.Error("a pod that waits for another one uses up what others may")
	}
}

// A restart pulls all images of a pod anew, and not only the one that it lacks.
func TestARestartCostsANodeAsManyPullsAsThePodHasContainers(t *testing.T) {
	r, _ := cured(t)
	r.Limits = Limits{NodePullsPerSecond: 1, NodeBurst: 3}
	set := owner("ReplicaSet", "set")
	if held, err := r.hold(t.Context(), ownedBy("first", 3, set), restarts); err != nil || held != nil {
		t.Fatalf("%+v, %v", held, err)
	}
	held, err := r.hold(t.Context(), ownedBy("second", 2, set), restarts)
	if err != nil || held == nil || held.Reason != diagnosis.BudgetUsed || held.RecheckAfter != 2*time.Second {
		t.Errorf("%+v, %v", held, err)
	}
}

// The answer to a deletion is lost, and that the pod is gone is seen half a minute later. What its owner made in between is its successor.
func TestASuccessorThatCameBeforeTheCureWasSeenIsWaitedFor(t *testing.T) {
	r, _ := cured(t)
	now := start
	r.Now = func() time.Time { return now }
	g := gathered{Facts: diagnosis.Facts{Now: start, Pod: podOf("set", "a", start.Add(-time.Hour), corev1.PodPending)}}
	r.unanswered.note(g, restarts)
	now = start.Add(30 * time.Second)
	if err := r.hearOf(t.Context(), client.ObjectKeyFromObject(g.Pod), nil); err != nil || !r.successors.awaits(podOf("set", "b", start.Add(2*time.Second), corev1.PodRunning)) {
		t.Errorf("it is not waited for: %v", err)
	}
}

func TestAPodThatCannotBeReadWasNotDeletedWithoutAnAnswer(t *testing.T) {
	r, _ := cured(t)
	g := gathered{Facts: diagnosis.Facts{Now: r.Now(), Pod: podOf("set", "a", start, corev1.PodPending)}}
	r.unanswered.note(g, restarts)
	away := errors.New("away")
	r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return away
		},
	})
	if err := r.hearOf(t.Context(), client.ObjectKeyFromObject(g.Pod), nil); !errors.Is(err, away) || r.Tally.Cured("c-00") > 0 || len(r.unanswered.m) != 1 {
		t.Errorf("%d are counted as cured: %v", r.Tally.Cured("c-00"), err)
	}
}

// Two pods of one owner were restarted, for one change each: the first that runs counts for the first.
func TestOfTwoSuccessorsTheFirstCountsForTheFirstChange(t *testing.T) {
	var s successors
	for i, name := range []string{"a", "b"} {
		at := start.Add(time.Duration(i) * time.Minute)
		s.expect(podOf("set", name, start.Add(-time.Hour), corev1.PodPending), diagnosis.Verdict{Action: diagnosis.Restart, Change: at.Add(-time.Second)}, at)
		s.expect(podOf("set", "same", start.Add(-time.Hour), corev1.PodPending), diagnosis.Verdict{Action: diagnosis.Repull, Change: at.Add(-time.Second)}, at)
	}
	if got := s.repulled("same"); !got.Equal(start.Add(59 * time.Second)) {
		t.Errorf("it was pulled again for the change at %s last", got)
	}
	now := start.Add(2 * time.Minute)
	for _, want := range []time.Duration{2*time.Minute + time.Second, time.Minute + time.Second} {
		if after, _, arrived := s.arrived(podOf("set", "next", now, corev1.PodRunning), now); !arrived || after != want {
			t.Errorf("it arrived %t after %s, want %s", arrived, after, want)
		}
	}
}

// Of a pod no more is in memory than a diagnosis needs. Policies select by labels that are not.
func TestASuccessorIsAskedForWithTheLabelsOfThePodAsItIs(t *testing.T) {
	r, _ := cured(t)
	r.SuccessorFirst = true
	pod := thePod(t, r.Writer)
	pod.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "5d4"}
	if err := r.Writer.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	var asked *corev1.Pod
	r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			asked = object.(*corev1.Pod).DeepCopy()
			object.(*corev1.Pod).Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "regcred"}} // as admission does
			if limit, bounded := ctx.Deadline(); !bounded || time.Until(limit) > oneDryRun {
				t.Error("webhooks may take as long as they like")
			}
			return nil
		},
	})
	g := gathered{Facts: diagnosis.Facts{Pod: diagnosis.View(pod), Now: r.Now()}}
	lacks := restarts
	lacks.Findings = []diagnosis.Finding{{Secret: "regcred"}}
	if got, err := r.foresee(t.Context(), g, lacks); err != nil || got.Action != diagnosis.Restart || len(asked.Spec.ImagePullSecrets) > 0 {
		t.Errorf("what admission makes of it names the Secret: %s (%s), %v", got.Action, got.Message, err)
	}
	if _, err := r.foresee(t.Context(), g, restarts); err != nil || asked == nil || asked.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != "5d4" {
		t.Errorf("asked for is %+v: %v", asked, err)
	}
}

// A pod can lack several: that one is gone meanwhile is no reason to tell nobody at the others.
func TestThatRepullIsMissingIsToldAtEachRegistryCredentialThatIsThere(t *testing.T) {
	r, seen := cured(t)
	verdict := diagnosis.Verdict{Action: diagnosis.Repull, Findings: []diagnosis.Finding{{Credential: "gone"}, {Credential: "c-00"}}}
	if err := r.tellOfRepull(t.Context(), verdict, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", nil)); err != nil || !slices.Equal(seen.told, told{"ActionForbidden at c-00"}) {
		t.Errorf("told: %q, %v", seen.told, err)
	}
}

// What a registry said counts for the question that the spec asks, and from when it said so last.
func TestAVerdictOfTheRecordIsOfThePresentQuestionAndOfItsLastAnswer(t *testing.T) {
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
	object.Spec.Registries = []v1alpha1.Registry{"r.example"}
	spec, account := rotation.SpecOf(object), rotation.Account{Print: "p", Host: "r.example", Keys: []string{"r.example"}}
	said := rotation.Test{Verdict: rotation.Accepted, Since: start, Time: start.Add(time.Minute), Attempt: start.Add(time.Hour), Digests: map[string]string{"r.example/a": "sha256:1"}}
	for question, counts := range map[string]bool{spec.Question(account): true, "another": false} {
		for verdict, rejected := range map[rotation.Verdict]string{rotation.Accepted: "", rotation.Rejected: "refused"} {
			said.Question, said.Verdict = question, verdict
			record := records.Record{Credential: "c", Kept: rotation.Kept{Value: rotation.Value{Accounts: []rotation.Account{account}}, Tests: map[string]rotation.Test{"p": said}}}
			var want diagnosis.Standing
			if want.Rejected = rejected; counts && rejected == "" {
				want.Accepted, want.Digests = said.Time, said.Digests
			}
			if !counts {
				want.Rejected = ""
			}
			if got := standingOf(&record, spec, "r.example"); got.Rejected != want.Rejected || !got.Accepted.Equal(want.Accepted) || len(got.Digests) != len(want.Digests) {
				t.Errorf("%s, the question counts %t: it stands %+v", verdict, counts, got)
			}
		}
	}
}

// A RegistryCredential says the name of its Secret: what became of another one is not its.
func TestWhatKeepsADeliveryFromBeingRightIsOfItsOwnSecret(t *testing.T) {
	r, _ := cured(t)
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "c-00", UID: "c-00"}}
	object.Spec.Target.SecretName = "other"
	for name, message := range map[string]string{"regcred": "of before", "other": "of now"} {
		r.Board.Post(delivered.Place{Namespace: looked.Namespace, Name: name}, map[string]delivered.Delivery{"c-00": {Selected: true, Reason: v1alpha1.ReasonContested, Message: message}})
	}
	if c := r.credential(object, looked.Namespace); c.Problem != "of now" || c.SecretName != "other" {
		t.Errorf("%+v", c)
	}
}

// keyed notes by which keys a registry is asked.
type keyed []string

func (k *keyed) Pull(_ context.Context, key string, _ dockerconfig.Credential, _ ...string) []verify.Result {
	*k = append(*k, key)
	return []verify.Result{{Reason: verify.PullAllowed}}
}

// A key with a path says which login it is, and what of a registry it is for.
func TestARegistryIsAskedByTheKeyThatIsForTheImage(t *testing.T) {
	now, asked := start, &keyed{}
	r := asking(t, &now, asked)
	record := r.Store.Get("hub")
	record.Config = dockerconfig.Config{"r.example/team": record.Config["r.example"]}
	r.Store = records.NewStore(inmemory.Clientset().CoreV1(), "regcred-system", func(string) {}) // this client gives no versions
	if err := r.Store.Save(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if probe, _ := r.ask(t.Context(), "n", diagnosis.Question{Credential: "hub", Key: "r.example/team", Image: "r.example/team/a"}); probe.Access != diagnosis.AccessAllowed || !slices.Equal(*asked, keyed{"r.example/team"}) {
		t.Errorf("asked by %q: %+v", *asked, probe)
	}
}

// For which change a pod was pulled again, and for which one that it replaces was restarted, are two things.
func TestWhatWasDoneBeforeIsKnownOfThePodAndOfItsOwner(t *testing.T) {
	r, _ := cured(t)
	pod := thePod(t, r.Writer)
	pod.CreationTimestamp = metav1.NewTime(start)
	r.successors.expect(pod, diagnosis.Verdict{Action: diagnosis.Repull, Change: start.Add(time.Second)}, r.Now())
	r.successors.expect(pod, diagnosis.Verdict{Action: diagnosis.Restart, Change: start.Add(2 * time.Second)}, start)
	g, err := r.gather(t.Context(), pod)
	if err != nil || !g.Repulled.Equal(start.Add(time.Second)) || !g.RestartedFor.Equal(start.Add(2*time.Second)) {
		t.Errorf("pulled again for %s, restarted for %s: %v", g.Repulled, g.RestartedFor, err)
	}
}
