package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

// told are the reasons of events, by the kind of the object and its name.
type told []string

func (e *told) Eventf(object, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	*e = append(*e, reason+" at "+object.(client.Object).GetName())
}

// written are the deletions and patches that a look at a pod makes.
type written struct {
	told     told
	deleted  []metav1.Preconditions
	patches  []string
	managers []string
	// refuse is the answer to a write, nil for none.
	refuse error
}

// cured is a cluster in which the pod that is looked at was created before its credential changed, so that it is restarted.
func cured(t *testing.T) (*Reconciler, *written) {
	t.Helper()
	r, seen := stuckCluster(t, 1, 1), &written{}
	cluster := r.Writer.(client.WithWatch)
	pod := thePod(t, cluster)
	pod.CreationTimestamp = metav1.NewTime(start.Add(-time.Hour))
	if err := cluster.Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	r.Limits = DefaultLimits()
	r.Events = announce.New(&seen.told)
	r.Writer = interceptor.NewClient(cluster, interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			var given client.DeleteOptions
			given.ApplyOptions(options)
			seen.deleted = append(seen.deleted, ptr.Deref(given.Preconditions, metav1.Preconditions{}))
			if seen.refuse != nil {
				return seen.refuse
			}
			return c.Delete(ctx, object, options...)
		},
		Patch: func(_ context.Context, _ client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			var given client.PatchOptions
			given.ApplyOptions(options)
			body, err := patch.Data(object)
			if err != nil {
				return err
			}
			seen.patches, seen.managers = append(seen.patches, string(body)), append(seen.managers, given.FieldManager)
			return seen.refuse
		},
	})
	return r, seen
}

func thePod(t *testing.T, from client.Reader) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	if err := from.Get(t.Context(), looked, &pod); err != nil {
		t.Fatal(err)
	}
	return &pod
}

// Between a look and a deletion a pod can start, opt out, or be another one of its name.
func TestExactlyThePodThatWasLookedAtIsDeleted(t *testing.T) {
	r, seen := cured(t)
	pod := thePod(t, r.Writer)
	look(t, r)
	if len(seen.deleted) != 1 {
		t.Fatalf("%d deletions, want one; told: %q", len(seen.deleted), seen.told)
	}
	if uid := ptr.Deref(seen.deleted[0].UID, ""); uid != pod.UID {
		t.Errorf("the deletion is of UID %q, want %q: another pod of the name would go", uid, pod.UID)
	}
	if version := ptr.Deref(seen.deleted[0].ResourceVersion, ""); version != pod.ResourceVersion {
		t.Errorf("the deletion is of version %q, want %q: a pod that opted out meanwhile would go", version, pod.ResourceVersion)
	}
	if !r.successors.awaits(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "next", CreationTimestamp: metav1.NewTime(r.Now()), OwnerReferences: pod.OwnerReferences}}) {
		t.Error("its successor is not waited for")
	}
	if cured := r.Tally.Cured("c-00"); cured != 1 {
		t.Errorf("%d pods are counted as cured, want 1", cured)
	}
}

func TestWhatBecomesOfAPodWhoseDeletionFails(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for _, c := range []struct {
		name   string
		answer error
		after  time.Duration
		fails  bool
		event  diagnosis.Reason
	}{
		{"it changed: it is looked at again soon", apierrors.NewConflict(pods, "web", nil), lookAgain, false, ""},
		{"it is gone: there is nothing to do", apierrors.NewNotFound(pods, "web"), 0, false, ""},
		{"the API server does not allow it: people are told, and it is tried again later", apierrors.NewForbidden(pods, "web", nil), refusedAgain, false, diagnosis.ActionForbidden},
		{"the API server is away: it is tried again as any request", apierrors.NewServiceUnavailable("starts"), 0, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, seen := cured(t)
			seen.refuse = c.answer
			result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked})
			if len(seen.deleted) != 1 || result.RequeueAfter != c.after || (err != nil) != c.fails {
				t.Errorf("%d deletions, again after %s: %v", len(seen.deleted), result.RequeueAfter, err)
			}
			if c.event != "" && (len(seen.told) == 0 || seen.told[len(seen.told)-1] != string(c.event)+" at web") {
				t.Errorf("told: %q, want %s", seen.told, c.event)
			}
			if r.successors.any() || r.Tally.Cured("c-00") > 0 {
				t.Error("a successor is waited for, or a cure counted, though nothing was deleted")
			}
			if tried := len(r.unanswered.m) > 0; tried != c.fails {
				t.Errorf("where it goes for another reason that counts as the deletion: %t", tried)
			}
		})
	}
}

// ownersUnread is a cluster whose owners of pods cannot be read.
type ownersUnread struct {
	client.Reader
	answer error
}

func (o ownersUnread) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if _, owner := into.(*metav1.PartialObjectMetadata); owner {
		return o.answer
	}
	return o.Reader.Get(ctx, key, into, options...)
}

// A pod that nobody recreates is lost: its owner must be the one that made it, and not a namesake, and be known to be there.
func TestAPodWhoseOwnerMayNotRecreateItIsNotDeleted(t *testing.T) {
	sets := schema.GroupResource{Group: "apps", Resource: "replicasets"}
	for _, c := range []struct {
		name   string
		answer error
	}{
		{"the owner may not be read", apierrors.NewForbidden(sets, "web", nil)},
		{"the owner is gone", apierrors.NewNotFound(sets, "web")},
		{"the owner could not be read now", apierrors.NewServiceUnavailable("busy")},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, seen := cured(t)
			r.Cluster = ownersUnread{r.Cluster, c.answer}
			_, _ = r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked})
			if len(seen.deleted) > 0 {
				t.Error("it is deleted, and perhaps nobody makes it again")
			}
		})
	}
	t.Run("the owner is a namesake of the one that is gone", func(t *testing.T) {
		r, seen := cured(t)
		pod := thePod(t, r.Writer)
		pod.OwnerReferences[0].UID = "an earlier one"
		if err := r.Writer.Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		look(t, r)
		if len(seen.deleted) > 0 {
			t.Error("it is deleted, and the namesake does not make it again")
		}
	})
}

// What is kept under the name of a RegistryCredential that was made again is of the one before, until it has a value of its own.
func TestAValueOfANamesakeThatWasDeletedCuresNoPod(t *testing.T) {
	r, seen := cured(t)
	var object v1alpha1.RegistryCredential
	if err := r.Cluster.Get(t.Context(), client.ObjectKey{Name: "c-00"}, &object); err != nil {
		t.Fatal(err)
	}
	object.UID = "made again"
	if err := r.Writer.Update(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	look(t, r)
	if len(seen.deleted) > 0 {
		t.Error("the pod is restarted for a value that is not published")
	}
}

// Whoever names a protected namespace wants its pods cured, too; a selector that happens to fit does not.
func TestAProtectedNamespaceIsServedWhereItIsNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		target v1alpha1.Target
		want   int
	}{
		{"by name", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(looked.Namespace)}}, 1},
		{"by labels", v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}, 0},
	} {
		for whose, protect := range map[string]func(*Reconciler){
			"one that is protected": func(r *Reconciler) { r.Protected = []string{looked.Namespace} },
			"the operator's own":    func(r *Reconciler) { r.OwnNamespace = looked.Namespace },
		} {
			t.Run(whose+", "+c.name, func(t *testing.T) {
				r, seen := cured(t)
				protect(r)
				var object v1alpha1.RegistryCredential
				if err := r.Cluster.Get(t.Context(), client.ObjectKey{Name: "c-00"}, &object); err != nil {
					t.Fatal(err)
				}
				object.Spec.Target = c.target
				if err := r.Writer.Update(t.Context(), &object); err != nil {
					t.Fatal(err)
				}
				look(t, r)
				if len(seen.deleted) != c.want {
					t.Errorf("%d pods are restarted, want %d", len(seen.deleted), c.want)
				}
			})
		}
	}
}

func TestARepullPinsAllImagesOfExactlyThePodThatWasLookedAt(t *testing.T) {
	r, seen := cured(t)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web", UID: "pod", ResourceVersion: "7"}}
	pod.Spec.InitContainers = []corev1.Container{{Name: "init"}}
	pod.Spec.Containers = []corev1.Container{{Name: "web"}, {Name: "side"}}
	pins := []diagnosis.Pin{{Container: "init", Pinned: "r.example/i@sha256:1"}, {Container: "web", Pinned: "r.example/w@sha256:2"}, {Container: "side", Pinned: "r.example/s@sha256:3"}}
	if err := r.repull(t.Context(), pod, pins); err != nil {
		t.Fatal(err)
	}
	var got, want any
	sent := `{"metadata":{"uid":"pod","resourceVersion":"7"},"spec":{"initContainers":[{"name":"init","image":"r.example/i@sha256:1"}],` +
		`"containers":[{"name":"web","image":"r.example/w@sha256:2"},{"name":"side","image":"r.example/s@sha256:3"}]}}`
	if json.Unmarshal([]byte(sent), &want) != nil || len(seen.patches) != 1 || json.Unmarshal([]byte(seen.patches[0]), &got) != nil {
		t.Fatalf("sent %q", seen.patches)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || seen.managers[0] != v1alpha1.FieldManager {
		t.Errorf("sent %v as %q, want %v", got, seen.managers[0], want)
	}
}

func TestARepullThatIsForbiddenIsNotTriedAgainForFiveMinutesAndToldAtTheCredential(t *testing.T) {
	r, seen := cured(t)
	verdict := diagnosis.Verdict{Action: diagnosis.Repull, Reason: "x", Findings: []diagnosis.Finding{{Credential: "c-00"}}}
	g := gathered{Facts: diagnosis.Facts{Now: r.Now(), Pod: thePod(t, r.Writer)}}
	result, err := r.refused(t.Context(), g, verdict, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", nil))
	if err != nil || result.RequeueAfter != lookAgain {
		t.Errorf("again after %s: %v", result.RequeueAfter, err)
	}
	if !r.repullForbidden.holds(g.Now.Add(refusedAgain-time.Second)) || r.repullForbidden.holds(g.Now.Add(refusedAgain)) {
		t.Error("it is tried again sooner or later than after five minutes")
	}
	if len(seen.told) != 1 || seen.told[0] != string(diagnosis.ActionForbidden)+" at c-00" {
		t.Errorf("told: %q", seen.told)
	}
}

// Times of the API have whole seconds: a successor that is created in the second of the restart looks older, and its recovery would not count.
func TestAPodThatCameInTheSecondOfTheRestartIsItsSuccessor(t *testing.T) {
	owner := []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", UID: "set", Controller: ptr.To(true)}}
	at := start.Add(700 * time.Millisecond)
	for _, c := range []struct {
		name    string
		created time.Time
		want    bool
	}{
		{"in the same second", start, true},
		{"later", start.Add(time.Minute), true},
		{"in the second before", start.Add(-time.Second), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s successors
			s.expect(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "old", OwnerReferences: owner}}, diagnosis.Verdict{Action: diagnosis.Restart, Change: start}, at)
			next := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "new", OwnerReferences: owner, CreationTimestamp: metav1.NewTime(c.created)}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
			after, action, arrived := s.arrived(next, at.Add(time.Minute))
			if arrived != c.want || arrived && (action != diagnosis.Restart || after != at.Add(time.Minute).Sub(start)) {
				t.Errorf("arrived %t after %s of %s", arrived, after, action)
			}
			if c.want == s.any() {
				t.Errorf("something is still expected: %t", s.any())
			}
		})
	}
}

func TestAVerdictIsReadFromTheRecordOnlyForTheKeyThatItIsOf(t *testing.T) {
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
	object.Spec.Registries = []v1alpha1.Registry{"r.example"}
	record := records.Record{Credential: "c", Kept: rotation.Kept{}}
	if got := standingOf(&record, rotation.SpecOf(object), "r.example"); got.Rejected != "" || !got.Accepted.IsZero() || len(got.Digests) > 0 {
		t.Errorf("nothing was asked, and it stands %+v", got)
	}
}

func TestWhatKeepsADeliveryFromBeingRight(t *testing.T) {
	for reason, want := range map[string]string{
		v1alpha1.ReasonServiceAccountNotFound: "", v1alpha1.ReasonProgressing: "", v1alpha1.ReasonWriteFailed: "",
		v1alpha1.ReasonContested: "said", v1alpha1.ReasonWriteRefused: "said",
	} {
		if got := problem(delivered.Delivery{Reason: reason, Message: "said"}); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}
